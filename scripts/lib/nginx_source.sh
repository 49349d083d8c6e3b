# Sourced after common.sh: builds nginx itself from source.

packages_nginx=(gcc libc6-dev make libpcre2-dev zlib1g-dev libssl-dev g++)

# nginx_source RELEASE DIRECTORY: unpacks the nginx source of a Debian release, without Debian's
# patches. apt fetches it once and checks its signature.
nginx_source() {
    local release=$1 directory=$2 archive
    archive=$(nginx_archive "$release")
    if [ -z "$archive" ]; then
        mkdir -p "$build/apt-$release"
        say "fetching nginx's source from Debian $release"
        (
            apt_release "$build/apt-$release" "$release" deb-src &&
                cd "$build/apt-$release" &&
                as_root apt-get "${apt_options[@]}" source --download-only --tar-only nginx >>log 2>&1
        ) || die "cannot fetch nginx's source from Debian $release ($build/apt-$release/log); check that the mirror can be reached"
        archive=$(nginx_archive "$release")
        [ -n "$archive" ] || die "no nginx source came from Debian $release"
    fi
    rm -rf "$directory"
    mkdir -p "$directory"
    tar -xf "$archive" -C "$directory" --strip-components=1
}

# copy_nginx_source FROM DIRECTORY: the same for a source tree that is there already; nothing is written
# to it.
copy_nginx_source() {
    [ -e "$1/src/core/nginx.h" ] || die "no nginx source in $1: there is no src/core/nginx.h"
    rm -rf "$2"
    mkdir -p "$2"
    cp -R "$1/." "$2"
}

nginx_archive() {
    local file
    for file in "$build/apt-$1"/nginx_*.orig.tar.*; do
        case "$file" in
            *.asc | *\**) ;;
            *) printf '%s\n' "$file" ;;
        esac
    done
}

# configure_nginx DIRECTORY OPTION...: configures nginx in its source directory.
configure_nginx() {
    local directory=$1
    shift
    (
        cd "$directory"
        local configure=./configure
        [ -e "$configure" ] || configure=auto/configure  # in a repository
        "$configure" --prefix="$directory" "$@" >configure.log 2>&1 ||
            { tail -n 20 configure.log >&2; exit 1; }
    ) || die "configuring nginx in $directory failed (above)"
}

# make_nginx DIRECTORY: builds objs/nginx and, with --add-dynamic-module, the module beside it.
make_nginx() {
    make -C "$1" -f objs/Makefile -j"$jobs" binary modules >"$1/make.log" 2>&1 ||
        { tail -n 40 "$1/make.log" >&2; die "building nginx in $1 failed (above)"; }
}

# The features of Debian's nginx that the tests use.
nginx_features=(
    --with-http_ssl_module --with-http_v2_module --with-http_realip_module
    --with-http_auth_request_module --with-http_addition_module --with-http_sub_module
    --with-http_dav_module --with-http_slice_module --with-http_gunzip_module
    --with-http_gzip_static_module --with-http_stub_status_module --with-threads
)
