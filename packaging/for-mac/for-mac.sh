#!/usr/bin/env bash
# Compiles mdm-health for Macs, Apple silicon and Intel, on Linux: no Mac, no SDK of Apple's.
#
#   for-mac.sh check             type-checks everything, tests and benches too
#   for-mac.sh clippy            the same with clippy
#   for-mac.sh test-link         links the tests; nothing can run them here
#   for-mac.sh build OUT         the release: a universal binary, and what the checker says of it
#   for-mac.sh build --quick OUT the same, but not optimised: to prove that it links
#
# --rustup before the command lets rustup fetch Apple's targets, as on GitHub. Without it, everything comes from the package
# registries of Rust, Python and Debian; tools.sh says what and where it is kept. Apple's own part is a stub of seven
# functions of CoreFoundation in sdk/, which iana-time-zone calls: one more has to be added there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
targets=(aarch64-apple-darwin x86_64-apple-darwin)
# shellcheck source=packaging/for-mac/tools.sh
. packaging/for-mac/tools.sh

each() {
    local target
    for target in "${targets[@]}"; do
        echo "$target: $1"
        cargo-zigbuild "$@" --locked "${std[@]}" --target "$target"
    done
}

# The symbols that macOS 12 has, from the zig that still had them by version.
get_stubs() {
    stubs=$tools/libSystem-12.tbd.d
    if begin "$stubs"; then
        use_python
        python3 -m venv "$stubs.new/venv"
        "$stubs.new/venv/bin/pip" download -q --disable-pip-version-check --no-deps --require-hashes -d "$stubs.new" \
            -r "$here/stubs-requirements.txt" || fail "PyPI does not give the zig that holds macOS 12's symbols."
        python3 -m zipfile -e "$stubs.new"/ziglang-*.whl "$stubs.new/zig"
        mv "$stubs.new/zig/ziglang/lib/libc/darwin/libSystem.12.tbd" "$stubs.new"
        rm -rf "$stubs.new/zig" "$stubs.new/venv" "$stubs.new"/*.whl
        finish "$stubs"
    fi
}

usage() { fail "Usage: for-mac.sh [--rustup] check | clippy | test-link | build [--quick] OUT"; }

if [ "${1:-}" = --rustup ]; then
    shift
    rustup target add "${targets[@]}"
fi
what=${1:-}
quick=no out=
case $what in
    check | clippy | test-link) [ $# = 1 ] || usage ;;
    build)
        if [ "${2:-}" = --quick ]; then
            quick=yes
            shift
        fi
        [ $# = 2 ] || usage
        out=$(realpath -m "$2")
        ;;
    *) usage ;;
esac

use_cargo
if [ "$what" = build ]; then
    # Before the compiler for Macs takes the place of this machine's.
    get_stubs
    cargo build --quiet --locked --manifest-path packaging/tool/Cargo.toml --target-dir target/tool
fi
use_zig
use_std "${targets[@]}"
# The least macOS, and our stub in place of Apple's SDK.
export MACOSX_DEPLOYMENT_TARGET=12.0 SDKROOT=$here/sdk
export CARGO_TARGET_DIR=$PWD/target/for-mac

case $what in
    check) each check --all-targets ;;
    clippy)
        # Another clippy than ours, such as Debian's, has other lints: what they say is shown. Those of Cargo.toml fail.
        case $(rustc --version) in
            "rustc $(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml) "*) each clippy --all-targets -- -D warnings ;;
            *) each clippy --all-targets ;;
        esac
        ;;
    test-link) each test --no-run ;;
    build)
        # The standard library names libiconv, and nothing calls it. The linker's debug symbols name the object files; they
        # would be stripped anyway, but the UUID that it makes of the program's bytes would still differ by folder.
        forget_paths "${targets[@]}" -Clink-arg=-Wl,-dead_strip_dylibs -Clink-arg=-Wl,-S
        if [ "$quick" = yes ]; then
            export CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
        fi
        cargo-zigbuild zigbuild --locked --release "${std[@]}" --bin mdm-health --target universal2-apple-darwin
        mkdir -p "$(dirname "$out")"
        cp "$CARGO_TARGET_DIR/universal2-apple-darwin/release/mdm-health" "$out"
        target/tool/debug/packaging-tool check "$out" "$stubs/libSystem.12.tbd" \
            "$SDKROOT/System/Library/Frameworks/CoreFoundation.framework/CoreFoundation.tbd" \
            --not "$PWD/" --not "${CARGO_HOME:-$HOME/.cargo}/" --not "$tools/"
        sha256sum "$out"
        ;;
esac
