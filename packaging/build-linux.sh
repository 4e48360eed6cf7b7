#!/usr/bin/env bash
# Builds mdm-health for Linux, where captures are read: one static program for every distribution.
#
#   build-linux.sh [--rustup] x86_64|aarch64 OUT
#
# --rustup lets rustup fetch the target, as on GitHub; without it the package registries have to do (for-mac/tools.sh).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=packaging/for-mac/tools.sh
. packaging/for-mac/tools.sh

rustup=no
if [ "${1:-}" = --rustup ]; then
    rustup=yes
    shift
fi
case ${1:-} in
    x86_64 | aarch64) target=$1-unknown-linux-musl ;;
    *) fail "Usage: build-linux.sh [--rustup] x86_64|aarch64 OUT" ;;
esac
out=$(realpath -m "${2:?"Usage: build-linux.sh [--rustup] x86_64|aarch64 OUT"}")
[ $rustup = no ] || rustup target add "$target"

use_cargo
use_zig
use_std "$target"
export CARGO_TARGET_DIR=$PWD/target/for-linux
# Without rustup, Rust has no start files of its own for musl: zig's are taken.
flags=()
[ "${#std[@]}" = 0 ] || flags=(-Clink-self-contained=no)
forget_paths "$target" "${flags[@]}"
cargo-zigbuild zigbuild --locked --release "${std[@]}" --bin mdm-health --target "$target"
mkdir -p "$(dirname "$out")"
cp "$CARGO_TARGET_DIR/$target/release/mdm-health" "$out"
sha256sum "$out"
