# Sourced by scripts/build and scripts/lint: the console.

packages_console=(esbuild gzip)
# compressed, in bytes
console_script_max=$((60 * 1024))

# Installs into console/node_modules what the lock file names, if it is not there: what the console
# itself needs, or ("all") what its types need, too. npm's own configuration says from where.
install_console_modules() {
    local which=$1 locked found options=()
    install_packages "${packages_console[@]}"
    # A Node.js that brings its npm needs no Debian package; theirs conflict.
    command -v node >/dev/null || install_packages nodejs
    command -v npm >/dev/null || install_packages npm
    mkdir -p "$build"
    # one at a time
    exec 9>"$root/console/.lock"
    flock 9
    locked=$(cksum <"$root/console/package-lock.json")
    found=$(cat "$root/console/node_modules/.locked" 2>/dev/null)
    [ "$found" != "all $locked" ] && [ "$found" != "$which $locked" ] || return 0
    [ "$which" = all ] || options=(--omit=dev)
    stage "installing the console's packages"
    npm --prefix "$root/console" ci --no-audit ${options[@]+"${options[@]}"} >"$build/npm.log" 2>&1 ||
        { tail -n 20 "$build/npm.log" >&2; die "npm ci failed (above)"; }
    printf '%s\n' "$which $locked" >"$root/console/node_modules/.locked"
}

build_console() {
    local work=$build/console.new
    install_console_modules run
    stage "building the console"
    rm -rf "$work"
    mkdir -p "$work/assets"
    # Their names change with their content, so that browsers may keep them for good.
    (
        cd "$root/console"
        esbuild src/main.tsx --bundle --minify --format=esm --target=es2022 --log-level=warning \
            --jsx=automatic --jsx-import-source=preact --entry-names='[name]-[hash]' --outdir="$work/assets"
    ) || die "esbuild failed (above)"
    cp "$root/console/favicon.svg" "$work/assets/favicon-$(cksum <"$root/console/favicon.svg" | cut -d' ' -f1).svg"
    (
        cd "$work/assets"
        sed -e "s|FAVICON|$(echo favicon-*.svg)|" -e "s|STYLE|$(echo main-*.css)|" -e "s|SCRIPT|$(echo main-*.js)|" \
            "$root/console/index.html" >"$work/index.html"
    )
    check_console_size "$work"/assets/main-*.js "$work"/assets/main-*.css
    rm -rf "$build/console"
    mv "$work" "$build/console"
    say "built in $build: console"
}

check_console_size() {
    local script style
    script=$(gzip -9c "$1" | wc -c)
    style=$(gzip -9c "$2" | wc -c)
    say "compressed: JavaScript $script bytes (at most $console_script_max), CSS $style bytes"
    [ "$script" -le "$console_script_max" ] ||
        die "the console's JavaScript is larger than it may be: leave something out"
}

# The bundler drops types; this checks them, with those of the API as its document has them.
check_console_types() {
    install_console_modules all
    npm --prefix "$root/console" run -s types >"$build/npm.log" 2>&1 ||
        { cat "$build/npm.log" >&2; return 1; }
    npm --prefix "$root/console" run -s check >&2
}
