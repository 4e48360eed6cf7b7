#!/bin/sh
# For Fleet's run_script: restarts what is stuck, within mdm-health's limits. Where nothing is stuck it does nothing. It
# fails if the limits forbid a restart, and prints the sentence that says which and until when.
program=/usr/local/mdm-health/mdm-health
if [ ! -x "$program" ]; then
    echo "mdm-health is not installed: there is no $program." >&2
    exit 1
fi
exec "$program" heal
