#!/bin/sh
# Made by: mdm-health packs intune-os-update (mdm-health 0.1.0)
# Intune: a custom attribute for macOS of the data type String.
# OS update: The version and phase of the update of macOS that was last at work, such as "26.1: downloading 45 %", or none.
program=/usr/local/mdm-health/mdm-health
value='not installed'
if [ -x "$program" ]; then
    if rows=$("$program" query --csv "SELECT coalesce( ( SELECT coalesce(nullif(version, ''), nullif(build, ''), 'an update') || ': ' || phase || coalesce(' ' || percent || ' %', '') FROM os_update_status WHERE coalesce(kind, '') NOT IN ('config_data', 'app') ORDER BY coalesce(last_event_at, 0) DESC LIMIT 1 ), 'none' ) AS value;"); then
        value=$(printf '%s\n' "$rows" | sed -n '2{s/^""$//;p;}')
    else
        value='unreadable'
    fi
fi
echo "$value"
