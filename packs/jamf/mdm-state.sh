#!/bin/sh
# Made by: mdm-health packs jamf-mdm-state (mdm-health 0.1.0)
# Jamf Pro: an extension attribute of the data type String, input type Script.
# MDM client: The verdict on the MDM client and its reason, such as "ok: recent_success" or "stuck: command_hung".
program=/usr/local/mdm-health/mdm-health
value='not installed'
if [ -x "$program" ]; then
    if rows=$("$program" query --csv "SELECT state || coalesce(': ' || nullif(reason, ''), '') AS value FROM mdm_watchdog;"); then
        value=$(printf '%s\n' "$rows" | sed -n '2{s/^""$//;p;}')
    else
        value='unreadable'
    fi
fi
echo "<result>$value</result>"
