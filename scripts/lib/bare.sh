# Sourced after common.sh: bare Debian systems in directories, made once and kept.

bases=${TOKEN_AUTH_BASES:-/var/tmp/token-auth-bases}

# bare_base RELEASE: makes the directory $bases/RELEASE if it is not there: what scripts/package builds in.
bare_base() {
    [ -e "$bases/$1/etc/debian_version" ] || bare "$1" "$bases/$1"
}

# bare RELEASE DIRECTORY: makes a bare Debian.
bare() {
    local mirror
    mirror=$(debian_mirror)
    [ -n "$mirror" ] || die "apt knows no mirror of Debian"
    stage "making a bare Debian $1 in $2"
    rm -rf --one-file-system "$2.new" "$2"
    mkdir -p "$bases"
    debootstrap --variant=minbase "$1" "$2.new" "$mirror" >"$2.log" 2>&1 ||
        { tail -n 5 "$2.log" >&2; die "debootstrap failed (above, and in $2.log)"; }
    # no service starts in a directory
    printf '#!/bin/sh\nexit 101\n' >"$2.new/usr/sbin/policy-rc.d"
    chmod 755 "$2.new/usr/sbin/policy-rc.d"
    # it is made again after a power cut
    echo force-unsafe-io >"$2.new/etc/dpkg/dpkg.cfg.d/unsafe-io"
    mv "$2.new" "$2"
}

# in_bare DIRECTORY COMMAND...: runs a command there as root, with processes and mounts of its own.
in_bare() {
    local directory=$1
    shift
    cp -L /etc/resolv.conf "$directory/etc/resolv.conf"
    # shellcheck disable=SC2016
    directory=$directory unshare --mount --pid --fork --kill-child bash -c '
        mount --make-rprivate / && mount -t proc proc "$directory/proc" && mount --rbind /dev "$directory/dev" &&
            exec env -i HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive TERM=dumb \
                PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin chroot "$directory" "$@"' bash "$@"
}

# machine_base RELEASE PACKAGES: makes $bases/RELEASE-machine anew from the bare system: it can boot, and apt has all in
# its cache that the packages in that directory need. Tests copy it and boot the copies, which have no network.
machine_base() {
    local directory=$bases/$1-machine log=$bases/$1-machine.log
    [ ! -e "$directory/.of" ] || [ "$(cat "$directory/.of")" != "$(machine_of "$1" "$2")" ] || return 0
    bare "$1" "$directory"
    stage "installing systemd, and fetching what the packages need, in $directory"
    cp -r "$2" "$directory/root/packages"
    in_bare "$directory" bash -ec '
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends systemd-sysv curl sqlite3 procps
        cd /root/packages
        apt-get install -y -qq --download-only ./libnginx-mod-http-token-auth_*.deb ./token-auth-tools_*.deb ./token-auth-console_*.deb
        rm -r /root/packages' >"$log" 2>&1 || { tail -n 10 "$log" >&2; die "that failed (above, and in $log)"; }
    machine_of "$1" "$2" >"$directory/.of"
}

# What the cache of a machine depends on.
machine_of() {
    local package
    for package in "$2"/libnginx-mod-http-token-auth_*.deb "$2"/token-auth-tools_*.deb "$2"/token-auth-console_*.deb; do
        dpkg-deb -f "$package" Depends
    done
}
