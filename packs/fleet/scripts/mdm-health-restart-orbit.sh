#!/bin/sh
# For Fleet's post_install_script: osqueryd reads its list of extensions only when it starts. orbit runs this script, so it
# is restarted a little later.
(sleep 10 && /bin/launchctl kickstart -k system/com.fleetdm.orbit) >/dev/null 2>&1 &
