#!/bin/sh
# Removes mdm-health from a Mac: what the package installed, and its line in osquery's list of extensions.
#
# The record of restarts in /Library/Application Support/mdm-health stays: it is what keeps a daemon from being
# restarted twice in a day, and installing again must not start that day anew. --purge removes it too.
set -eu
umask 022
PATH=/usr/bin:/bin:/usr/sbin:/sbin
usage='Usage: uninstall.sh [--purge] [--root VOLUME]'

say() {
    echo "mdm-health: $*"
}
refuse() {
    say "$*" >&2
    exit 1
}

target=/
purge=no
while [ $# -gt 0 ]; do
    case $1 in
        --purge) purge=yes ;;
        --root)
            target=${2:?"$usage"}
            shift
            ;;
        *) refuse "$usage" ;;
    esac
    shift
done
root=${target%/}
[ -d "$target" ] || refuse "there is no volume $target."
[ "$(id -u)" = 0 ] || refuse "only root can remove mdm-health: run this with sudo."

extension=/usr/local/mdm-health/mdm_health.ext
receipt=org.mdm-health.pkg
owner=0

# Whether nobody but root may write it, and it is no link.
ours_alone() {
    found=$(find "$1" -prune \( -type l -o -perm -020 -o -perm -002 -o ! -user "$owner" \)) && [ -z "$found" ]
}

# Takes the extension from osquery's list, and nobody else's; owner and permissions of the list stay. Who can write the
# folder could put a link in the list's place while it is written.
unlist_extension() {
    home=$root/private/var/osquery
    list=$home/extensions.load
    [ -e "$list" ] || [ -L "$list" ] || return 0
    for part in "$home" "$list"; do
        ours_alone "$part" && { [ "$part" = "$home" ] || [ -f "$part" ]; } && continue
        say "$part is a link or another thing than it should be, or can be written by others than root. $extension may" \
            "still be listed in $list: look at it, and take that line out yourself."
        return
    done
    fresh=$(mktemp "$list.XXXXXX")
    cp -p "$list" "$fresh"
    awk -v ours="$extension" '{ line = $0; gsub(/^[ \t\r]+|[ \t\r]+$/, "", line) } line != ours' "$list" >"$fresh"
    if [ -s "$fresh" ]; then
        mv -f "$fresh" "$list"
    else
        rm -f "$fresh" "$list"
    fi
}

if [ "$target" = / ]; then
    # It may have been stopped already.
    launchctl bootout system/org.mdm-health.watchdog 2>/dev/null || :
fi
unlist_extension
rm -f "$root/Library/LaunchDaemons/org.mdm-health.watchdog.plist" "$root/private/etc/paths.d/mdm-health"
rm -rf "$root/usr/local/mdm-health"
if pkgutil --volume "$target" --pkg-info "$receipt" >/dev/null 2>&1; then
    pkgutil --volume "$target" --forget "$receipt" >/dev/null
fi

state="$root/Library/Application Support/mdm-health"
if [ "$purge" = yes ]; then
    rm -rf "$state"
    say "removed, with the journal and the record of restarts: after a new installation a daemon may be restarted" \
        "at once."
elif [ -d "$state" ]; then
    say "removed. The journal and the record of restarts stay in $state, so that a new installation keeps to the limits."
else
    say "removed."
fi
if [ "$target" = / ]; then
    for osquery in io.osquery.agent com.facebook.osqueryd com.fleetdm.orbit; do
        if launchctl print "system/$osquery" >/dev/null 2>&1; then
            say "The extension runs until osquery starts again: sudo launchctl kickstart -k system/$osquery"
        fi
    done
fi
