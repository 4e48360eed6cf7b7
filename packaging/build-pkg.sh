#!/bin/sh
# Makes the installer package from a universal binary and its third-party notices (notices.sh).
#
#   build-pkg.sh VERSION BINARY NOTICES OUT.pkg               the package
#   build-pkg.sh --layout-only DIR VERSION BINARY NOTICES     what goes into it, in DIR/root and DIR/scripts
#
# On a Mac, Apple's own tools make it. Elsewhere packaging/tool does, and rcodesign (crate apple-codesign) signs.
# Signed and notarised as far as these are set:
#   on a Mac
#     CODESIGN_IDENTITY      "Developer ID Application: …", in a keychain; BINARY itself is signed
#     INSTALLER_IDENTITY     "Developer ID Installer: …"
#   elsewhere
#     CODESIGN_P12           a PKCS#12 file with that certificate and its key; BINARY itself is signed
#     INSTALLER_P12          the other one
#     CODESIGN_P12_PASSWORD, INSTALLER_P12_PASSWORD
#   NOTARY_KEY               the file of an App Store Connect API key (.p8), with NOTARY_KEY_ID and NOTARY_ISSUER
set -eu
umask 022
here=$(cd "$(dirname "$0")" && pwd)

refuse() {
    echo "build-pkg.sh: $*" >&2
    exit 1
}
need() {
    command -v "$1" >/dev/null 2>&1 || refuse "there is no $1 here: $2."
}

work=
if [ "${1:-}" = --layout-only ]; then
    work=${2:-}
    shift $(($# < 2 ? $# : 2))
fi
version=${1:-} binary=${2:-} notices=${3:-} out=${4:-}
if [ -z "$notices" ] || { [ -z "$work" ] && [ -z "$out" ]; }; then
    refuse "Usage: build-pkg.sh VERSION BINARY NOTICES OUT.pkg, or build-pkg.sh --layout-only DIR VERSION BINARY NOTICES"
fi
printf '%s\n' "$version" | grep -qxE '[0-9]+(\.[0-9]+){2}' || refuse "the version $version is not three numbers."
for file in "$binary" "$notices"; do [ -f "$file" ] || refuse "there is no file $file."; done

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
    install -m 0644 "$notices" "$ours/THIRD-PARTY-NOTICES.txt"
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

[ "$(head -c 8 "$binary" | od -An -tx1 | tr -d ' \n')" = cafebabe00000002 ] ||
    refuse "$binary is not for both Apple silicon and Intel: packaging/for-mac/for-mac.sh build makes one that is."
if command -v pkgbuild >/dev/null 2>&1; then
    on_mac=yes application=${CODESIGN_IDENTITY:-} installer=${INSTALLER_IDENTITY:-}
    for tool in codesign productbuild xcrun; do need "$tool" "it comes with Xcode's command line tools"; done
else
    on_mac=no application=${CODESIGN_P12:-} installer=${INSTALLER_P12:-}
    [ -n "${PACKAGING_TOOL:-}" ] || need cargo "Rust builds packaging/tool, which makes the package"
    if [ -n "$application$installer${NOTARY_KEY:-}" ]; then
        need rcodesign "cargo install apple-codesign brings it"
    fi
fi
if [ -n "${NOTARY_KEY:-}" ] && { [ -z "$application" ] || [ -z "$installer" ]; }; then
    refuse "Apple notarises only what is signed: name both certificates too."
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/mdm-health.XXXXXX")
trap 'rm -rf "$work"' EXIT

packaging_tool() {
    if [ -n "${PACKAGING_TOOL:-}" ]; then
        "$PACKAGING_TOOL" "$@"
    else
        cargo run --quiet --locked --manifest-path "$here/tool/Cargo.toml" -- "$@"
    fi
}

# rcodesign_with P12 PASSWORD ARGUMENTS…: signs with a certificate, whose password no list of processes shows.
rcodesign_with() {
    p12=$1 password=$2
    shift 2
    (umask 077 && printf '%s' "$password" >"$work/password")
    rcodesign sign --p12-file "$p12" --p12-password-file "$work/password" "$@"
    rm -f "$work/password"
}

if [ $on_mac = yes ]; then
    if [ -n "$application" ]; then
        codesign --force --options runtime --timestamp --identifier org.mdm-health --sign "$application" "$binary"
        codesign --verify --strict "$binary"
    fi
    lay_out
    pkgbuild --root "$work/root" --scripts "$work/scripts" --identifier org.mdm-health.pkg --version "$version" \
        --install-location / --ownership recommended "$work/mdm-health.pkg"
    set -- --distribution "$work/distribution.xml" --package-path "$work"
    if [ -n "$installer" ]; then set -- "$@" --sign "$installer" --timestamp; fi
    productbuild "$@" "$out"
    if [ -n "${NOTARY_KEY:-}" ]; then
        xcrun notarytool submit "$out" --key "$NOTARY_KEY" --key-id "${NOTARY_KEY_ID:?}" --issuer "${NOTARY_ISSUER:?}" \
            --wait
        # Fails if Apple did not accept the package.
        xcrun stapler staple "$out"
    fi
else
    if [ -n "$application" ]; then
        rcodesign_with "$application" "${CODESIGN_P12_PASSWORD:-}" --code-signature-flags runtime \
            --binary-identifier org.mdm-health "$binary"
    fi
    lay_out
    packaging_tool package "$work" org.mdm-health.pkg "$version" "$out"
    if [ -n "$installer" ]; then rcodesign_with "$installer" "${INSTALLER_P12_PASSWORD:-}" "$out"; fi
    if [ -n "${NOTARY_KEY:-}" ]; then
        rcodesign encode-app-store-connect-api-key -o "$work/key.json" "${NOTARY_ISSUER:?}" "${NOTARY_KEY_ID:?}" "$NOTARY_KEY"
        # Waits for Apple, and fails if it does not accept the package.
        rcodesign notary-submit --api-key-file "$work/key.json" --staple "$out"
    fi
fi
