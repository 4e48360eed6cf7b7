#!/bin/sh
# Makes the installer package from a universal binary.
#
#   build-pkg.sh VERSION BINARY OUT.pkg               on a Mac: the package
#   build-pkg.sh --layout-only DIR VERSION BINARY     anywhere: what goes into it, in DIR/root and DIR/scripts
#
# Signed and notarised as far as these are set:
#   CODESIGN_IDENTITY      "Developer ID Application: …"; BINARY itself is signed
#   INSTALLER_IDENTITY     "Developer ID Installer: …"
#   NOTARY_KEY             the file of an App Store Connect API key (.p8), with NOTARY_KEY_ID and NOTARY_ISSUER
set -eu
umask 022
here=$(cd "$(dirname "$0")" && pwd)

refuse() {
    echo "build-pkg.sh: $*" >&2
    exit 1
}
need() {
    command -v "$1" >/dev/null 2>&1 || refuse "there is no $1 here: it takes a Mac with Xcode or its command line tools."
}

work=
if [ "${1:-}" = --layout-only ]; then
    work=${2:-}
    shift $(($# < 2 ? $# : 2))
fi
version=${1:-} binary=${2:-} out=${3:-}
if [ -z "$binary" ] || { [ -z "$work" ] && [ -z "$out" ]; }; then
    refuse "Usage: build-pkg.sh VERSION BINARY OUT.pkg, or build-pkg.sh --layout-only DIR VERSION BINARY"
fi
printf '%s\n' "$version" | grep -qxE '[0-9]+(\.[0-9]+){2}' || refuse "the version $version is not three numbers."
[ -f "$binary" ] || refuse "there is no file $binary."

# Puts everything where the Installer will put it. All folders but ours belong to macOS: one that Homebrew may have made
# for a user is not among them, because the Installer may change owner and permissions of the folders that it knows.
lay_out() {
    root=$work/root ours=$work/root/usr/local/mdm-health
    install -d -m 0755 "$ours" "$root/Library/LaunchDaemons" "$root/private/etc/paths.d" "$work/scripts"
    # Twice the same: osquery wants a file that ends in .ext, and the system's log names a process by its file.
    install -m 0755 "$binary" "$ours/mdm-health"
    install -m 0755 "$binary" "$ours/mdm_health.ext"
    install -m 0755 "$here/uninstall.sh" "$ours/uninstall.sh"
    install -m 0644 "$here/../LICENSE-MIT" "$here/../LICENSE-APACHE" "$ours"
    install -m 0644 "$here/org.mdm-health.watchdog.plist" "$root/Library/LaunchDaemons"
    echo /usr/local/mdm-health >"$root/private/etc/paths.d/mdm-health"
    if [ -f "$here/mdm-health.1" ]; then
        install -d -m 0755 "$ours/man/man1"
        install -m 0644 "$here/mdm-health.1" "$ours/man/man1"
    fi
    if [ -d "$here/completions" ]; then
        install -d -m 0755 "$ours/completions"
        install -m 0644 "$here"/completions/* "$ours/completions"
    fi
    install -m 0755 "$here/scripts/preinstall" "$here/scripts/postinstall" "$work/scripts"
    sed "s/@VERSION@/$version/" "$here/distribution.xml" >"$work/distribution.xml"
}

if [ -n "$work" ]; then
    lay_out
    exit 0
fi

for tool in lipo codesign pkgbuild productbuild xcrun; do need "$tool"; done
lipo "$binary" -verify_arch arm64 x86_64 || refuse "$binary is not for both Apple silicon and Intel: make it with lipo."
if [ -n "${NOTARY_KEY:-}" ] && { [ -z "${CODESIGN_IDENTITY:-}" ] || [ -z "${INSTALLER_IDENTITY:-}" ]; }; then
    refuse "Apple notarises only what is signed: set CODESIGN_IDENTITY and INSTALLER_IDENTITY too."
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/mdm-health.XXXXXX")
trap 'rm -rf "$work"' EXIT

if [ -n "${CODESIGN_IDENTITY:-}" ]; then
    codesign --force --options runtime --timestamp --identifier org.mdm-health --sign "$CODESIGN_IDENTITY" "$binary"
    codesign --verify --strict "$binary"
fi
lay_out
pkgbuild --root "$work/root" --scripts "$work/scripts" --identifier org.mdm-health.pkg --version "$version" \
    --install-location / --ownership recommended "$work/mdm-health.pkg"
set -- --distribution "$work/distribution.xml" --package-path "$work"
if [ -n "${INSTALLER_IDENTITY:-}" ]; then set -- "$@" --sign "$INSTALLER_IDENTITY" --timestamp; fi
productbuild "$@" "$out"

if [ -n "${NOTARY_KEY:-}" ]; then
    xcrun notarytool submit "$out" --key "$NOTARY_KEY" --key-id "${NOTARY_KEY_ID:?}" --issuer "${NOTARY_ISSUER:?}" --wait
    # Fails if Apple did not accept the package.
    xcrun stapler staple "$out"
fi
