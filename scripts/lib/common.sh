# Sourced by the scripts in the directory above: paths, installing packages, building.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$(realpath -m "${TOKEN_AUTH_BUILD:-$root/build}")
jobs=$(nproc)

# On Debian, nginx and the tools are in sbin, which is not in every user's PATH.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

say() { printf '%s\n' "$*" >&2; }
die() { say "$(basename "$0"): $*"; exit 1; }

# A step that takes a while; what Ctrl-C interrupts is said by the same words.
doing=
stage() { doing=$*; say "$*"; }
trap 'say "$(basename "$0"): interrupted${doing:+ while $doing}"; exit 130' INT

# How nginx's configure is to build the module. Some compilers define _FORTIFY_SOURCE themselves (Ubuntu's
# do), and nginx's -Werror rejects a second definition.
# shellcheck disable=SC2034
module_options=(
    --with-cc-opt="-O2 -g -fPIC -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -flto=auto"
    --with-ld-opt="-O2 -flto=auto -Wl,-z,relro -Wl,-z,now"
)

packages_build=(
    g++ make cmake pkg-config
    nginx nginx-dev libssl-dev liblmdb-dev
    libsqlite3-dev libpq-dev zlib1g-dev libcli11-dev libfmt-dev nlohmann-json3-dev libutfcpp-dev
    libbsd-dev libsystemd-dev libcurl4-openssl-dev libmicrohttpd-dev libsodium-dev
)
packages_unit=(libcmocka-dev librapidcheck-dev)
packages_demo=(curl ca-certificates)
packages_lint=("${packages_unit[@]}" clang-tidy clang-format cppcheck shellcheck binutils perl python3-jsonschema)
packages_fuzz=("${packages_unit[@]}" clang libclang-rt-dev)
packages_matrix=(clang)
# modules for the installed nginx; scripts/matrix unpacks them without installing
packages_beside=(
    libnginx-mod-http-ndk libnginx-mod-http-lua libnginx-mod-http-js libnginx-mod-http-echo
    libnginx-mod-http-headers-more-filter libnginx-mod-nchan lua-resty-core lua-resty-lrucache libluajit2-5.1-2 libpcre3
)
packages_package=(debootstrap util-linux iproute2)
packages_sanitize=(valgrind libc6-dbg)
packages_test=("${packages_unit[@]}" perl curl ca-certificates groff-base sqlite3 lmdb-utils procps util-linux git openssl libio-pty-perl
    prometheus fail2ban python3-grpcio python3-jsonschema python3-websockets python3-requests
    httpie nodejs caddy)
packages_postgresql=(
    postgresql postgresql-client libdbi-perl libdbd-pg-perl pgbouncer iproute2
)
packages_faults=(libfaketime mount)
packages_model=(spin gcc libc6-dev)
packages_bench=(libbenchmark-dev)
packages_bench_sync=(libdbd-sqlite3-perl)
packages_bench_gateway=(libnginx-mod-http-lua lua-nginx-redis lua-nginx-string redis-server valgrind)

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

# Copies standard input into a file. On a terminal, one line that changes shows how far it is: the
# percentages that make and apt-get report.
progress() {
    local log=$1 line
    # What writes here ends by itself, and must not lose its reader before: apt-get does not leave
    # packages half installed.
    trap 'say "interrupted; waiting for what runs to end"' INT
    while IFS= read -r line; do
        printf '%s\n' "$line"
        if [ -t 2 ] && [[ "$line" =~ ^(\[\ *|[dp][lm]status:[^:]*:)([0-9]+) ]]; then
            printf '\r\033[K  %s %%\r' "${BASH_REMATCH[2]}" >&2
        fi
    done >"$log"
    [ ! -t 2 ] || printf '\033[K' >&2
}

# Runs apt-get without questions, and without starting services of new packages.
apt_quiet() {
    local policy=/usr/sbin/policy-rc.d log status=0
    doing="installing packages; run it again, and apt-get goes on from there"
    log=$(mktemp)
    (
        trap 'rm -f "$log"; exit 130' INT
        trap 'rm -f "$log"; exit 143' TERM HUP
        if [ ! -e "$policy" ]; then
            # always remove it again: it keeps every service from starting
            trap 'as_root rm -f "$policy"' EXIT
            printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
            as_root chmod 755 "$policy"
        fi
        # A machine that was just started updates itself: wait for its lock.
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -y -qq -o DPkg::Lock::Timeout=120 \
            -o APT::Status-Fd=1 "$@" 2>&1 | progress "$log"
    ) || status=$?
    if [ "$status" != 0 ]; then
        { grep -v '^[dp][lm]status:' "$log" || true; } | tail -n 20 >&2
        rm -f "$log"
        die "apt-get $1 failed (above); fix the package sources, or install the packages by hand"
    fi
    rm -f "$log"
    doing=
}

install_packages() {
    local missing
    # Package names have no white space. (Process substitution would need /proc.)
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

# Installs Test::Nginx: from the system's package sources if they have it, else from Debian unstable,
# else from CPAN. The package is architecture-independent; unstable's package lists are kept apart, so
# the system's sources stay as they are.
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
        say "not available there; trying cpanm"
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

# Debian's main mirror, as this system has it: the one for security updates has no other release.
debian_mirror() {
    apt-get indextargets --format '$(SUITE) $(REPO_URI)' 'Created-By: Packages' |
        awk '$1 !~ /security/ { print $2; exit }'
}

# Fetches package lists of another Debian release, of type deb or deb-src, into a separate directory.
# apt-get "${apt_options[@]}" then uses that release; the system's sources stay as they are.
apt_release() {
    local state=$1 release=$2 type=$3 mirror keyring signed=
    mirror=$(debian_mirror)
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
        # signatures are still checked; an outdated mirror is good enough for a test tool
        -o Acquire::Check-Valid-Until=false
    )
    as_root apt-get "${apt_options[@]}" update >"$state/log" 2>&1
}

# cmake_build DIRECTORY [OPTION...] TARGET...: configures CMake with the options, builds the targets.
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
    cmake --build "$directory" -j"$jobs" --target "$@" 2>&1 | progress "$directory/make.log" ||
        { grep -E -A6 'error|Error' "$directory/make.log" | head -60 >&2; die "the build failed (above, and in $directory/make.log)"; }
}

# Builds the unit tests, and the programs that other tests run.
build_tests() {
    stage "building the tests"
    cmake_build "$build" -DTOKEN_AUTH_TESTS=ON all
}
