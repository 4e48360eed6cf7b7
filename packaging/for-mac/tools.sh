# shellcheck shell=bash
# What it takes to compile for another system, got from the package registries and kept in a cache folder. Source this in
# the project's folder; nothing that is installed is replaced.
#
#   use_cargo            Rust and a C compiler for this machine, from Debian where they are missing
#   use_zig              zig and cargo-zigbuild, from PyPI: a linker and a C compiler with the headers of each system
#   use_std TARGET…      Rust's standard library for these targets: rustup's where it is installed, else built from
#                        Debian's rust-web-src by the compiler of the same version, unpacked beside
#                        rustup's; sets std to the arguments that cargo then needs
#   forget_paths         see there
#
# MDM_HEALTH_TOOLS names the cache folder; without it, ~/.cache/mdm-health.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tools=${MDM_HEALTH_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/mdm-health}
# The version of Debian's compiler that this was tried with. Another one may work too.
tried_debian=1.96
# shellcheck disable=SC2034 # used by whoever sources this
std=()
mkdir -p "$tools"

fail() {
    echo "$*" >&2
    exit 1
}

need() { command -v "$1" >/dev/null 2>&1; }

# Installs Debian packages, as root. The lists are fetched once a run.
lists_fetched=no
install() {
    if ! need apt-get || [ "$(id -u)" != 0 ]; then
        fail "This machine has no $*: install it, then run this again."
    fi
    fetch_lists
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null ||
        fail "Debian's packages $* cannot be installed."
}
fetch_lists() {
    [ "$lists_fetched" = yes ] && return
    apt-get update -qq || fail "Debian's package lists cannot be fetched."
    lists_fetched=yes
}

# Makes a folder of the cache whole or not at all: what is between the two goes to FOLDER.new.
begin() { [ ! -d "$1" ] && rm -rf "$1.new" && mkdir -p "$1.new"; }
finish() { mv "$1.new" "$1"; }

# python_tools FOLDER REQUIREMENTS: programs from PyPI, in FOLDER/bin.
python_tools() {
    if begin "$1"; then
        use_python
        python3 -m venv "$1.new"
        "$1.new/bin/pip" install -q --disable-pip-version-check --require-hashes -r "$2" ||
            fail "PyPI does not give what $2 names."
        # Only the programs: no other Python may come first on somebody's PATH.
        rm -f "$1.new"/bin/{python,pip,activate,Activate}*
        finish "$1"
    fi
}

use_python() { python3 -c 'import venv, ensurepip' 2>/dev/null || install python3 python3-venv; }

# What compiles for this machine.
use_cargo() {
    need cc || install build-essential
    need cargo || install cargo-web rust-web-llvm
}

use_zig() {
    local folder
    folder=$tools/zig-$(sha256sum <"$here/requirements.txt" | cut -c1-12)
    python_tools "$folder" "$here/requirements.txt"
    export PATH=$folder/bin:$PATH
    export CARGO_ZIGBUILD_ZIG_PATH
    CARGO_ZIGBUILD_ZIG_PATH=$(echo "$folder"/lib/python3*/site-packages/ziglang/zig)
    export CARGO_ZIGBUILD_CACHE_DIR=$tools/zigbuild ZIG_GLOBAL_CACHE_DIR=$tools/zig-cache
}

has_std() {
    local target
    for target in "$@"; do
        compgen -G "$(rustc --print target-libdir --target "$target")/libstd-*.rlib" >/dev/null || return 1
    done
}

use_std() {
    if need rustc && has_std "$@"; then
        echo "Standard library: rustup's, $(rustc --version)"
        return
    fi
    need apt-get || fail "There is no standard library for $* here. Pass --rustup to have rustup fetch it."
    use_debian_rust
    # shellcheck disable=SC2034
    std=("-Zbuild-std=std,panic_unwind")
    echo "Standard library: built from Debian's rust-web-src, $(rustc --version)"
}

# Debian's compiler, its clippy and the source of its standard library, of one version. They are unpacked, not installed:
# they would conflict with rustup.
use_debian_rust() {
    local version abi llvm rust
    version=$(candidate rustc-web)
    if [ -z "$version" ]; then
        fetch_lists
        version=$(candidate rustc-web)
    fi
    [ -n "$version" ] || fail "Debian's archive has no rustc-web, and rustup has no standard library for this target."
    [ "$version" = "$(candidate rust-web-src)" ] || fail "Debian's rust-web-src is not of rustc-web's version $version."
    abi=${version%%+*} abi=${abi%.*}
    if [ "$abi" != "$tried_debian" ]; then
        echo "Debian now has Rust $abi; this was tried with $tried_debian. If it fails, look there first." >&2
    fi
    llvm=$(apt-cache depends "libstd-rust-web-$abi=$version" | sed -n 's/ *Depends: \(libllvm[0-9]*\).*/\1/p')
    rust=$tools/rust-${version//[:~]/-}
    if begin "$rust"; then
        unpack "$rust.new" "rustc-web=$version" "libstd-rust-web-$abi=$version" "libstd-rust-web-dev=$version" \
            "rust-web-src=$version" "rust-web-clippy=$version" "$llvm"
        finish "$rust"
    fi
    local libraries=("$rust"/usr/lib/*-linux-gnu)
    # rustup's own cargo: its proxy would choose a compiler itself.
    if need rustup; then
        local cargo
        cargo=$(rustup which cargo)
        # What strips the program, and the library that it needs.
        local sysroot=${cargo%/bin/cargo}
        libraries+=("$sysroot/lib")
        PATH=$(echo "$sysroot"/lib/rustlib/*-linux-gnu/bin):${cargo%/*}:$PATH
    fi
    export PATH=$rust/usr/bin:$PATH RUSTC=$rust/usr/bin/rustc
    LD_LIBRARY_PATH=$(IFS=: && echo "${libraries[*]}")
    export LD_LIBRARY_PATH
    # -Zbuild-std is not for stable compilers without this.
    export RUSTC_BOOTSTRAP=1
    unset RUSTUP_TOOLCHAIN
    rustc --version >/dev/null 2>&1 || install "$llvm"
    rustc --version >/dev/null || fail "Debian's Rust $version does not run here."
}

# forget_paths TARGET… [FLAG…]: has cargo leave out of the program where it is built, which names the machine and makes two
# builds differ, and pass these flags of rustc's.
forget_paths() {
    local flags=() argument targets=() from name
    for argument in "$@"; do
        case $argument in -*) flags+=("$argument") ;; *) targets+=("$argument") ;; esac
    done
    # The last one that fits counts.
    for from in "$PWD=/mdm-health" "$CARGO_TARGET_DIR=/target" "${CARGO_HOME:-$HOME/.cargo}=/cargo" "$tools=/tools" \
        "$(rustc --print sysroot)=/rust"; do
        [[ $from != *" "* ]] || fail "${from%=*} has a blank in it, which RUSTFLAGS cannot hold: build elsewhere."
        flags+=("--remap-path-prefix=$from")
    done
    for argument in "${targets[@]}"; do
        name=${argument//-/_}
        export "CARGO_TARGET_${name^^}_RUSTFLAGS=${flags[*]}"
    done
}

candidate() { apt-cache policy "$1" 2>/dev/null | sed -n 's/ *Candidate: //p'; }

# unpack FOLDER PACKAGE…
unpack() {
    local folder=$1 package
    shift
    fetch_lists
    (cd "$folder" && apt-get download -qq -o APT::Sandbox::User=root "$@") ||
        fail "Debian's packages $* cannot be fetched."
    for package in "$folder"/*.deb; do dpkg -x "$package" "$folder"; done
    rm -f "$folder"/*.deb
}
