#!/bin/sh
# For Fleet's uninstall_script. The record of restarts stays, so that the next installation does not begin a new 24 hours.
exec /usr/local/mdm-health/uninstall.sh
