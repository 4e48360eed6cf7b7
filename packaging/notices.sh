#!/usr/bin/env bash
# Writes the licences of everything that is in the program: notices.sh OUT.txt
# cargo-about makes them from what Cargo.lock names; about.toml and notices.hbs say how. It is built once and then kept in the
# cache folder. Nothing is asked of the network but crates.
set -euo pipefail
out=$(realpath -m "${1:?notices.sh OUT.txt}")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=packaging/for-mac/tools.sh
. packaging/for-mac/tools.sh

version=0.9.3
use_cargo
if begin "$tools/cargo-about-$version"; then
    cargo install --quiet --locked --features cli --root "$tools/cargo-about-$version.new" "cargo-about@$version"
    finish "$tools/cargo-about-$version"
fi
cargo fetch --quiet --locked
mkdir -p "$(dirname "$out")"
"$tools/cargo-about-$version/bin/cargo-about" about generate --frozen --fail --output-file "$out" packaging/notices.hbs
# What cargo-about does not know of.
for part in "Rust's standard library" SQLite; do
    grep -q "$part" "$out" || fail "The notices do not name $part."
done
