#!/bin/sh
# Intune: a shell script for macOS. Run as signed-in user: No. It restarts what is stuck, within mdm-health's limits, and does
# nothing where nothing is stuck, so that it may run every day. It fails if the limits forbid a restart.
program=/usr/local/mdm-health/mdm-health
if [ ! -x "$program" ]; then
    echo "mdm-health is not installed: there is no $program." >&2
    exit 1
fi
exec "$program" heal
