# Sourced by the scripts beside this directory: where things are, and the installing of what is
# missing. Not a command of its own.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$(realpath -m "${TOKEN_AUTH_BUILD:-$root/build}")
jobs=$(nproc)

# nginx and the tools stand in sbin on Debian, which is not in everybody's path.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

say() { printf '%s\n' "$*" >&2; }
die() { say "$(basename "$0"): $*"; exit 1; }

packages_build=(
    g++ make cmake pkg-config
    nginx nginx-dev libssl-dev liblmdb-dev
    libsqlite3-dev libpq-dev zlib1g-dev libcli11-dev libfmt-dev nlohmann-json3-dev libutfcpp-dev
    libcmocka-dev librapidcheck-dev
)
packages_demo=(curl ca-certificates)
packages_lint=(clang-tidy clang-format cppcheck shellcheck binutils perl)
packages_fuzz=(clang libclang-rt-dev)
packages_matrix=(clang)
# for the nginx that is installed; not installed themselves, see scripts/matrix
packages_beside=(
    libnginx-mod-http-ndk libnginx-mod-http-lua libnginx-mod-http-js libnginx-mod-http-echo
    libnginx-mod-http-headers-more-filter lua-resty-core lua-resty-lrucache libluajit2-5.1-2 libpcre3
)
packages_sanitize=(valgrind libc6-dbg)
packages_test=(perl curl ca-certificates sqlite3 lmdb-utils procps util-linux git openssl)
packages_postgresql=(
    postgresql postgresql-client libdbi-perl libdbd-pg-perl pgbouncer iproute2
)
packages_faults=(libfaketime mount)
packages_bench=(libbenchmark-dev)
packages_bench_gateway=(
    wrk libnginx-mod-http-lua lua-nginx-redis lua-nginx-string libnginx-mod-http-js redis-server
    haproxy
)

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "must be root to install packages (or have sudo): $*"
    fi
}

missing_packages() {
    local package
    for package in "$@"; do
        if [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null)" != "ii " ]; then
            printf '%s\n' "$package"
        fi
    done
}

# Runs apt-get without questions, and without starting the services that packages bring:
# the nginx of the system stays as it was.
apt_quiet() {
    local policy=/usr/sbin/policy-rc.d log status=0
    log=$(mktemp)
    (
        if [ ! -e "$policy" ]; then
            # gone again however this ends: it would keep every service from starting
            trap 'as_root rm -f "$policy"' EXIT
            trap 'exit 130' INT TERM HUP
            printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
            as_root chmod 755 "$policy"
        fi
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -y -qq "$@" >"$log" 2>&1
    ) || status=$?
    if [ "$status" != 0 ]; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        die "apt-get $1 failed (above); mend the package sources, or install the packages by hand"
    fi
    rm -f "$log"
}

install_packages() {
    local missing
    # Package names hold no white space. (No process substitution: it needs /proc.)
    # shellcheck disable=SC2207
    missing=($(missing_packages "$@"))
    if [ "${#missing[@]}" = 0 ]; then
        return
    fi
    command -v apt-get >/dev/null ||
        die "this system has no apt-get; install the equivalents of: ${missing[*]}"
    say "installing ${missing[*]}"
    apt_quiet update
    apt_quiet install --no-install-recommends "${missing[@]}"
}

# Test::Nginx: a package of the system's own suites where they have it, else that one
# architecture-independent package from Debian unstable (same mirror, package lists of its own, so
# that the system's sources stay as they were), else from CPAN.
install_test_nginx() {
    if perl -MTest::Nginx::Socket -e 1 2>/dev/null; then
        return
    fi
    apt_quiet update
    if [ -n "$(apt-cache policy libtest-nginx-perl 2>/dev/null | grep -E 'Candidate: [0-9]')" ]; then
        install_packages libtest-nginx-perl
        return
    fi
    say "installing libtest-nginx-perl from Debian unstable"
    if ! test_nginx_from_unstable; then
        say "not to be had there; trying cpanm"
        install_packages cpanminus libtest-base-perl liblwp-protocol-https-perl libtext-diff-perl
        as_root cpanm --quiet --notest Test::Nginx ||
            die "cannot install Test::Nginx: neither apt nor cpanm has it; install it by hand"
    fi
    perl -MTest::Nginx::Socket -e 1 || die "Test::Nginx does not load"
}

test_nginx_from_unstable() {
    local state=$build/apt
    apt_release "$state" unstable deb || return 1
    (cd "$state" && rm -f libtest-nginx-perl_*.deb &&
        as_root apt-get "${apt_options[@]}" download libtest-nginx-perl >>"$state/log" 2>&1) ||
        return 1
    apt_quiet install --no-install-recommends "$state"/libtest-nginx-perl_*.deb
}

# Package lists of another release of Debian, of type deb or deb-src, kept in a directory of their
# own: apt-get with "${apt_options[@]}" sees that release, and the system's sources stay as they were.
apt_release() {
    local state=$1 release=$2 type=$3 mirror keyring signed=
    # Debian's own mirror, not the one of security updates, which has no other release.
    mirror=$(apt-get indextargets --format '$(SUITE) $(REPO_URI)' 'Created-By: Packages' |
        awk '$1 !~ /security/ { print $2; exit }')
    [ -n "$mirror" ] || return 1
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -e "$keyring" ] && signed="[signed-by=$keyring]"
    printf '%s %s %s %s main\n' "$type" "$signed" "$mirror" "$release" >"$state/sources.list"
    apt_options=(
        -qq
        -o "Dir::Etc::SourceList=$state/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null
        -o "Dir::State::Lists=$state/lists" -o "Dir::Cache=$state/cache"
        -o APT::Sandbox::User=root -o Acquire::Languages=none
        # signatures are checked all the same; a mirror that lags behind will do for a test tool
        -o Acquire::Check-Valid-Until=false
    )
    as_root apt-get "${apt_options[@]}" update >"$state/log" 2>&1
}

# Configures CMake in a directory, with the options given, and builds the targets behind them.
cmake_build() {
    local directory=$1 options=()
    shift
    while [[ "${1-}" = -* ]]; do
        options+=("$1")
        shift
    done
    mkdir -p "$directory"
    cmake -S "$root" -B "$directory" ${options[@]+"${options[@]}"} >"$directory/cmake.log" 2>&1 ||
        { tail -n 20 "$directory/cmake.log" >&2; die "cmake failed (above)"; }
    cmake --build "$directory" -j"$jobs" --target "$@" >"$directory/make.log" 2>&1 ||
        { grep -E -A6 'error|Error' "$directory/make.log" | head -60 >&2; die "the build failed (above, and in $directory/make.log)"; }
}

# The unit tests, and the programs that other tests run.
build_tests() {
    say "building the tests"
    cmake_build "$build" -DTOKEN_AUTH_TESTS=ON all
}
