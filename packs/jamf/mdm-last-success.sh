#!/bin/sh
# Made by: mdm-health packs jamf-mdm-last-success (mdm-health 0.1.0)
# Jamf Pro: an extension attribute of the data type Date (YYYY-MM-DD hh:mm:ss), input type Script.
# MDM client, last success: When the MDM server last accepted a request of this Mac, in UTC. Empty if the log does not show it.
program=/usr/local/mdm-health/mdm-health
value=''
if [ -x "$program" ]; then
    if rows=$("$program" query --csv "SELECT coalesce(datetime(last_success_at, 'unixepoch'), '') AS value FROM mdm_watchdog;"); then
        value=$(printf '%s\n' "$rows" | sed -n '2{s/^""$//;p;}')
    else
        value=''
    fi
fi
echo "<result>$value</result>"
