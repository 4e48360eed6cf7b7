#!/usr/bin/env bash
# Makes what a release consists of: release.sh [--rustup] DIST
#
#   mdm-health-VERSION.pkg               the installer package for Macs (-unsigned without certificates: build-pkg.sh)
#   mdm_health-VERSION.ext               the universal binary, as osquery's extension
#   mdm-health-VERSION-linux-ARCH        the program for Linux, x86_64 and aarch64
#   THIRD-PARTY-NOTICES.txt              the licences of what is in them
#   mdm-health-VERSION.cdx.json          the bill of materials (CycloneDX)
#   SHA256SUMS
#
# --rustup lets rustup fetch the targets, as on GitHub; without it the package registries have to do.
set -euo pipefail
rustup=()
if [ "${1:-}" = --rustup ]; then
    rustup=(--rustup)
    shift
fi
dist=$(realpath -m "${1:?release.sh [--rustup] DIST}")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=packaging/for-mac/tools.sh
. packaging/for-mac/tools.sh

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
suffix=-unsigned
if [ -n "${CODESIGN_P12:-}${CODESIGN_IDENTITY:-}" ]; then suffix=; fi
mkdir -p "$dist"
if [ -n "$(ls -A "$dist")" ]; then fail "$dist is not empty."; fi

packaging/notices.sh "$dist/THIRD-PARTY-NOTICES.txt"

extension=$dist/mdm_health-$version$suffix.ext
packaging/for-mac/for-mac.sh "${rustup[@]}" build "$extension"
PACKAGING_TOOL=$PWD/target/tool/debug/packaging-tool packaging/build-pkg.sh "$version" "$extension" \
    "$dist/THIRD-PARTY-NOTICES.txt" "$dist/mdm-health-$version$suffix.pkg"

for architecture in x86_64 aarch64; do
    packaging/build-linux.sh "${rustup[@]}" $architecture "$dist/mdm-health-$version-linux-$architecture"
done

cyclonedx=0.5.9
if begin "$tools/cargo-cyclonedx-$cyclonedx"; then
    cargo install --quiet --locked --root "$tools/cargo-cyclonedx-$cyclonedx.new" "cargo-cyclonedx@$cyclonedx"
    finish "$tools/cargo-cyclonedx-$cyclonedx"
fi
# With the commit's time and without this folder's path, the list is the same wherever it is made.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)} \
    "$tools/cargo-cyclonedx-$cyclonedx/bin/cargo-cyclonedx" cyclonedx --format json --spec-version 1.5 \
    --override-filename sbom
sed -E "s|path\+file://$PWD#(mdm-health@)?|mdm-health@|g" sbom.json >"$dist/mdm-health-$version.cdx.json"
rm sbom.json

cd "$dist"
# Not by a pipe into the file: it could be there before the names are listed, and be one of them.
sums=$(sha256sum -- *)
printf '%s\n' "$sums" | tee SHA256SUMS
