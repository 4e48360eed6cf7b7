#!/usr/bin/env bash
# Writes every file that is made from the code: bash packaging/generate.sh
# With --check nothing is written, and a file that is not what the code makes fails.
# MDM_HEALTH names a program that is built already; without it cargo builds one.
set -euo pipefail
cd "$(dirname "$0")/.."

check=no
[ "${1:-}" = --check ] && check=yes
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT

mdm_health() {
    if [ -n "${MDM_HEALTH:-}" ]; then "$MDM_HEALTH" "$@"; else cargo run --locked --quiet -- "$@"; fi
}

# made FILE: takes what the code makes of that file from standard input.
made() {
    cat >"$fresh/file"
    [ -s "$fresh/file" ] || { echo "Nothing was made for $1." >&2; exit 1; }
    if [ "$check" = no ]; then
        mkdir -p "$(dirname "$1")"
        cat "$fresh/file" >"$1"
    elif ! diff -u "$1" "$fresh/file" >&2; then
        touch "$fresh/stale"
    fi
}

mdm_health packs osquery | made packs/osquery/mdm-health.conf
mdm_health packs kolide | made packs/kolide/mdm-health.checks.sql
mdm_health packs fleet-labels | made packs/fleet/mdm-health.labels.yml
mdm_health packs fleet-reports | made packs/fleet/mdm-health.reports.yml
mdm_health packs fleet-policies | made packs/fleet/mdm-health.policies.yml
mdm_health packs fleet-package | made packs/fleet/mdm-health.package.yml
mdm_health packs fleet-free-reports | made packs/fleet/free/mdm-health.reports.yml
mdm_health packs fleet-free-policies | made packs/fleet/free/mdm-health.policies.yml
mdm_health packs fleet-apply | made packs/fleet/mdm-health.apply.yml
for attribute in mdm-state mdm-last-success mdm-identity-expires os-update; do
    for inventory in jamf intune; do
        mdm_health packs "$inventory-$attribute" | made "packs/$inventory/$attribute.sh"
    done
done
mdm_health completions bash | made packaging/completions/mdm-health.bash
mdm_health completions zsh | made packaging/completions/_mdm-health
mdm_health completions fish | made packaging/completions/mdm-health.fish
mdm_health man | made packaging/mdm-health.1
# README's list of tables; what stands around it is left as it is.
mdm_health tables >"$fresh/tables"
awk -v list="$fresh/tables" '
    /^\| table \|/ { while ((getline line < list) > 0) print line; within = 1 }
    !/^\|/ { within = 0 }
    !within' README.md | made README.md

if [ -e "$fresh/stale" ]; then
    echo "These files are not what the code makes: run bash packaging/generate.sh and commit what it writes." >&2
    exit 1
fi
