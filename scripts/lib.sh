# shellcheck shell=bash
# What the scripts share: messages, packages, the toolchain and hugepages. Sourced, never run.

# The repository's root, wherever the script was called from.
REPOSITORY=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# The oldest Rust that the workspace builds with, read from where cargo reads it.
RUST_VERSION_MIN=$(sed -n 's/^rust-version *= *"\([0-9.]*\)".*/\1/p' "$REPOSITORY/Cargo.toml" | head -n 1)

# What a build against DPDK needs, and what the program needs at run time: netbase has the names
# of ports (`port http`), which a container lacks. `a|b`: either will do, the first is installed.
# shellcheck disable=SC2034  # read by the scripts that source this file
BUILD_PACKAGES=(
    gcc libc6-dev pkg-config dpdk libdpdk-dev 'libclang-14-dev|libclang-dev' libpcap-dev netbase
)

# Locks of the whole machine, so that two runs at once neither fight over dpkg nor take
# each other's hugepages away.
LOCK_DIR=/run/lock
[ -w "$LOCK_DIR" ] || LOCK_DIR=${TMPDIR:-/tmp}

HUGEPAGES_DIR=/sys/kernel/mm/hugepages/hugepages-2048kB

heading() { printf '\n=== %s ===\n' "$*"; }
say() { printf '%s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

is_root() { [ "$(id -u)" -eq 0 ]; }

# --- packages ---------------------------------------------------------------------------

is_installed() {
    [ "$(dpkg-query -W -f='${Status}' "$1" 2>/dev/null)" = 'install ok installed' ]
}

# Prints, one a line, the packages among the arguments that are not there.
missing_packages() {
    local choice alternative found
    for choice in "$@"; do
        found=no
        for alternative in ${choice//|/ }; do
            is_installed "$alternative" && found=yes
        done
        [ "$found" = yes ] || printf '%s\n' "${choice%%|*}"
    done
}

apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 \
        -o Acquire::Retries=3 "$@"
}

install_under_lock() {
    local -a missing
    # Asked again now that the lock is held: another run may have installed them meanwhile.
    mapfile -t missing < <(missing_packages "$@")
    [ "${#missing[@]}" -gt 0 ] || return 0
    say "installing: ${missing[*]}"
    apt update || warn 'apt-get update failed; trying with the lists that are there'
    local attempt said
    for attempt in 1 2 3; do
        # The packages' own chatter would drown what matters: shown only on failure.
        if said=$(apt install --no-install-recommends -y "${missing[@]}" 2>&1); then
            return 0
        fi
        tail -n 5 <<<"$said" >&2
        warn "apt-get install failed (attempt $attempt of 3)"
        sleep $((attempt * 5))
    done
    return 1
}

# Installs those of the packages that are not there; touches nothing if all are.
need_packages() {
    command -v dpkg-query >/dev/null || {
        warn "this is no Debian: see to it that these are there: $*"
        return 0
    }
    local -a missing
    mapfile -t missing < <(missing_packages "$@")
    [ "${#missing[@]}" -gt 0 ] || return 0
    is_root || die "not installed, and only root can: apt-get install ${missing[*]}"
    (
        flock 9
        install_under_lock "$@"
    ) 9>"$LOCK_DIR/weir-apt.lock" || die "could not install: ${missing[*]}"
}

# --- toolchain --------------------------------------------------------------------------

# Makes sure that cargo is there, new enough, and has the named rustup components.
need_cargo() {
    # Where rustup puts it, for a shell that has not read its profile since.
    command -v cargo >/dev/null || PATH=$HOME/.cargo/bin:$PATH
    command -v cargo >/dev/null || die "cargo is not there: see https://rustup.rs"
    local version
    version=$(cd "$REPOSITORY" && rustc --version | cut -d ' ' -f 2)
    printf '%s\n%s\n' "$RUST_VERSION_MIN" "${version%%-*}" | sort -V -C ||
        die "rustc is $version, and this needs $RUST_VERSION_MIN or newer: rustup update stable"
    local component
    for component in "$@"; do
        (cd "$REPOSITORY" && cargo "$component" --version) >/dev/null 2>&1 && continue
        command -v rustup >/dev/null || die "cargo $component is not there"
        (cd "$REPOSITORY" && rustup component add "${component/fmt/rustfmt}") ||
            die "could not add cargo $component"
    done
}

# --- hugepages --------------------------------------------------------------------------

# Prints how many MiB of 2 MiB hugepages there are (`nr`) or are free (`free`).
hugepages_mib() {
    local pages=0
    [ ! -r "$HUGEPAGES_DIR/$1_hugepages" ] || pages=$(<"$HUGEPAGES_DIR/$1_hugepages")
    printf '%s\n' $((pages * 2))
}

# Asks the kernel for so many more MiB. It gives what it can and does not fail.
raise_hugepages() {
    [ -w "$HUGEPAGES_DIR/nr_hugepages" ] || return 0
    printf '%s\n' $((($(hugepages_mib nr) + $1 + 1) / 2)) >"$HUGEPAGES_DIR/nr_hugepages" || true
}

# Says whether so many MiB are free, and if not, why.
have_free_hugepages() {
    local free_mib
    free_mib=$(hugepages_mib free)
    [ "$free_mib" -lt "$1" ] || return 0
    if [ ! -e "$HUGEPAGES_DIR" ]; then
        say 'no hugepages: this kernel has none of 2 MiB'
    elif [ ! -w "$HUGEPAGES_DIR/nr_hugepages" ]; then
        say "no hugepages: $1 MiB wanted, $free_mib MiB free, and only root can reserve more"
    else
        say "no hugepages: $1 MiB wanted, $free_mib MiB to be had"
    fi
    return 1
}

# Sees to it that so many MiB are free, for good. Returns 1, saying why, where that cannot be.
reserve_hugepages() {
    local short_mib
    short_mib=$(($1 - $(hugepages_mib free)))
    [ "$short_mib" -le 0 ] || raise_hugepages "$short_mib"
    have_free_hugepages "$1"
}

# As reserve_hugepages, but only until return_hugepages. Borrowers hold a shared lock: the
# first one notes what the machine had, each one adds its own share, and the last one to
# leave restores what was noted. A borrower that is killed lets go of its lock by dying.
borrow_hugepages() {
    exec {HUGEPAGES_LOCK}<>"$LOCK_DIR/weir-hugepages"
    local noted
    if flock -n "$HUGEPAGES_LOCK"; then
        read -r noted <"$LOCK_DIR/weir-hugepages" || noted=''
        [ -n "$noted" ] || hugepages_mib nr >"$LOCK_DIR/weir-hugepages"
        flock -s "$HUGEPAGES_LOCK"
        reserve_hugepages "$1"
    else
        flock -s "$HUGEPAGES_LOCK"
        raise_hugepages "$1"
        have_free_hugepages "$1"
    fi
}

return_hugepages() {
    [ -n "${HUGEPAGES_LOCK:-}" ] || return 0
    if flock -n "$HUGEPAGES_LOCK"; then
        local noted
        read -r noted <"$LOCK_DIR/weir-hugepages" || noted=''
        [ -z "$noted" ] || [ ! -w "$HUGEPAGES_DIR/nr_hugepages" ] ||
            printf '%s\n' $((noted / 2)) >"$HUGEPAGES_DIR/nr_hugepages"
        : >"$LOCK_DIR/weir-hugepages"
    fi
    exec {HUGEPAGES_LOCK}>&-
    unset HUGEPAGES_LOCK
}
