# Sourced after common.sh: bare Debian systems in directories, made once and kept.

bases=${TOKEN_AUTH_BASES:-/var/tmp/token-auth-bases}

# bare_base RELEASE: makes the directory $bases/RELEASE if it is not there.
bare_base() {
    local release=$1 directory=$bases/$1 mirror
    [ ! -e "$directory/etc/debian_version" ] || return 0
    mirror=$(debian_mirror)
    [ -n "$mirror" ] || die "apt knows no mirror of Debian"
    stage "making a bare Debian $release in $directory"
    rm -rf --one-file-system "$directory.new"
    mkdir -p "$bases"
    debootstrap --variant=minbase "$release" "$directory.new" "$mirror" >"$directory.log" 2>&1 ||
        { tail -n 5 "$directory.log" >&2; die "debootstrap failed (above, and in $directory.log)"; }
    # no service starts in a directory
    printf '#!/bin/sh\nexit 101\n' >"$directory.new/usr/sbin/policy-rc.d"
    chmod 755 "$directory.new/usr/sbin/policy-rc.d"
    mv "$directory.new" "$directory"
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
