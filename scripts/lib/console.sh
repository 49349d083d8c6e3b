# Sourced by scripts/build and scripts/lint: the console.

packages_console=(esbuild gzip)
packages_console_tests=(chromium fonts-dejavu-core)
# compressed, in bytes
console_script_max=$((60 * 1024))

install_npm() {
    # A Node.js that brings its npm needs no Debian package; theirs conflict.
    command -v node >/dev/null || install_packages nodejs
    command -v npm >/dev/null || install_packages npm
}

# install_modules DIRECTORY [OPTION...]: installs into its node_modules what its lock file names, by
# "npm ci" with the options, unless it is there. npm's own configuration says from where.
install_modules() (
    directory=$1
    shift
    mkdir -p "$build"
    # One at a time. The subshell's end unlocks: what the caller starts later must not hold it.
    exec 9>"$root/console/.lock"
    flock 9
    locked=$(cksum <"$directory/package-lock.json")
    found=$(cat "$directory/node_modules/.locked" 2>/dev/null) || true
    # without options, it is all there
    [ "$found" != "$* $locked" ] && [ "$found" != " $locked" ] || exit 0
    install_npm
    stage "installing packages from npm into ${directory#"$root/"}"
    npm --prefix "$directory" ci --no-audit "$@" >"$build/npm.log" 2>&1 ||
        { tail -n 20 "$build/npm.log" >&2; die "npm ci failed (above)"; }
    printf '%s\n' "$* $locked" >"$directory/node_modules/.locked"
)

install_console_tests() {
    install_packages "${packages_console_tests[@]}"
    install_modules "$root/t/console"
}

build_console() {
    local work=$build/console.new
    install_packages "${packages_console[@]}"
    install_modules "$root/console" --omit=dev
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
    install_modules "$root/console"
    npm --prefix "$root/console" run -s types >"$build/npm.log" 2>&1 ||
        { cat "$build/npm.log" >&2; return 1; }
    npm --prefix "$root/console" run -s check >&2
}
