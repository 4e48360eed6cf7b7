#!/bin/sh
# Made by: mdm-health packs intune-mdm-identity-expires (mdm-health 0.1.0)
# Intune: a custom attribute for macOS of the data type String.
# MDM identity, expires: When the certificate of the MDM identity expires, in UTC. Empty if it is not known which one that is.
program=/usr/local/mdm-health/mdm-health
value=''
if [ -x "$program" ]; then
    if rows=$("$program" query --csv "SELECT coalesce(datetime(min(not_after), 'unixepoch'), '') AS value FROM mdm_identity WHERE is_mdm_identity = 1;"); then
        value=$(printf '%s\n' "$rows" | sed -n '2{s/^""$//;p;}')
    else
        value=''
    fi
fi
echo "$value"
