# Sourced after common.sh: nginx's own source, for builds of the whole server.

packages_nginx=(gcc libc6-dev make libpcre2-dev zlib1g-dev libssl-dev liblmdb-dev g++)

# The sources of nginx as a release of Debian ships it, unpacked anew into a directory. Fetched once,
# by apt, which checks signatures; Debian's own patches are left out.
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
        ) || die "cannot fetch nginx's source from Debian $release ($build/apt-$release/log); is the mirror within reach?"
        archive=$(nginx_archive "$release")
        [ -n "$archive" ] || die "no nginx source came from Debian $release"
    fi
    rm -rf "$directory"
    mkdir -p "$directory"
    tar -xf "$archive" -C "$directory" --strip-components=1
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

# Configures nginx in a directory of its source; the rest are options of configure.
configure_nginx() {
    local directory=$1
    shift
    (
        cd "$directory"
        ./configure --prefix="$directory" "$@" >configure.log 2>&1 ||
            { tail -n 20 configure.log >&2; exit 1; }
    ) || die "configuring nginx in $directory failed (above)"
}

# Builds it: objs/nginx and, with --add-dynamic-module, the module beside it.
make_nginx() {
    make -C "$1" -f objs/Makefile -j"$jobs" binary modules >"$1/make.log" 2>&1 ||
        { tail -n 40 "$1/make.log" >&2; die "building nginx in $1 failed (above)"; }
}

# What Debian's nginx has and the tests use.
nginx_features=(
    --with-http_ssl_module --with-http_v2_module --with-http_realip_module
    --with-http_auth_request_module --with-http_addition_module --with-http_sub_module
    --with-http_dav_module --with-http_slice_module --with-http_gunzip_module
    --with-http_gzip_static_module --with-http_stub_status_module --with-threads
)
