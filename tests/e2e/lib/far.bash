# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A far side on this machine: a real sshd on a loopback port, in a mount namespace whose /etc
# is a copy (so that there can be more users) and whose /root/.ssh is the test's. Clients run
# in it too: ssh takes its configuration from there and nowhere else.

FAR_PORT=2222

# far_users: users of all kinds, in the copy of /etc. They have the same key.
far_users() { # ETC
    local etc=$1 home=$E2E/far/homes
    mkdir -p "$home"/{fishroot,cshroot,bashroot,deputy,nobody2}
    cat >>"$etc/passwd" <<USERS
fishroot:x:0:0::$home/fishroot:/usr/bin/fish
cshroot:x:0:0::$home/cshroot:/bin/tcsh
bashroot:x:0:0::$home/bashroot:/bin/bash
deputy:x:4201:4201::$home/deputy:/bin/sh
nobody2:x:4202:4202::$home/nobody2:/bin/sh
shellless:x:0:0::$home/deputy:/usr/sbin/nologin
USERS
    local user
    for user in fishroot cshroot bashroot deputy nobody2 shellless; do
        echo "$user:*:19000:0:99999:7:::" >>"$etc/shadow"
    done
    mkdir -p "$home/fishroot/.config/fish"
    # what login shells may say before anything else
    echo 'echo "fish says hello"; printf "without an end"' >"$home/fishroot/.config/fish/config.fish"
    echo 'echo csh says hello' >"$home/cshroot/.cshrc"
    echo 'echo bash says hello' >"$home/bashroot/.bashrc"
    chown -R 4201:4201 "$home/deputy"
    chown -R 4202:4202 "$home/nobody2"
    echo 'deputy ALL=(ALL) NOPASSWD: ALL' >"$etc/sudoers.d/deputy"
    chmod 440 "$etc/sudoers.d/deputy"
}

far_start() {
    local dir=$E2E/far
    # the sockets of connections that stay: a place of this run's own, and a short one, since dray
    # takes a place below /tmp, which all runs would share, when a socket's path would be too long
    mkdir -p "$dir/ssh" "$E2E_SUITE/ssh"
    chmod 700 "$dir/ssh" "$E2E_SUITE/ssh"
    # sshd and sudo look at who owns what is above, and others must get to their homes
    chmod 755 "$E2E_SUITE" "$E2E" "$dir"
    cp -a /etc "$dir/etc"
    far_users "$dir/etc"
    ssh-keygen -q -t ed25519 -N '' -f "$dir/host"
    ssh-keygen -q -t ed25519 -N '' -f "$dir/ssh/id_ed25519"
    cp "$dir/ssh/id_ed25519.pub" "$dir/authorized"
    echo "Welcome, said before the login" >"$dir/banner"
    echo "[127.0.0.1]:$FAR_PORT $(cat "$dir/host.pub")" >"$dir/ssh/known_hosts"
    cat >"$dir/ssh/config" <<CONFIG
Host far
  HostName 127.0.0.1
  Port $FAR_PORT
Host stranger
  HostName 127.0.0.2
  Port $FAR_PORT
  StrictHostKeyChecking yes
  UserKnownHostsFile /dev/null
Host locked
  HostName 127.0.0.3
  StrictHostKeyChecking no
  Port $FAR_PORT
  IdentityFile /dev/null
  IdentitiesOnly yes
CONFIG
    cat >"$dir/sshd_config" <<CONFIG
Port $FAR_PORT
ListenAddress 0.0.0.0
HostKey $dir/host
AuthorizedKeysFile $dir/authorized
PermitRootLogin yes
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
Banner $dir/banner
PidFile none
MaxStartups 100
CONFIG
    unshare -m bash -c 'mount --bind "$1/etc" /etc && mkdir -p /root/.ssh /run/sshd &&
        mount --bind "$1/ssh" /root/.ssh && : >"$1/ready" &&
        exec /usr/sbin/sshd -D -f "$1/sshd_config" -E "$1/log"' far "$dir" </dev/null 3>&- &
    echo $! >"$dir/pid"
    FAR_PID=$!
    export FAR_PID
    within 10 far_listens
}
far_listens() { (exec 9<>/dev/tcp/127.0.0.1/$FAR_PORT) 2>/dev/null; }

far_stop() {
    local dir=$E2E/far
    far_masters_end
    [[ ! -f $dir/pid ]] || kill "$(cat "$dir/pid")"
    rm -rf "$dir" "$E2E_SUITE/ssh"
}
# The connections that stay for the next command.
far_masters_end() {
    local socket
    for socket in "$E2E_SUITE"/ssh/dray/*; do
        [[ ! -S $socket ]] || in_far ssh -O exit -S "$socket" x 2>/dev/null || true
    done
}

in_far() { nsenter -t "$FAR_PID" -m -- env XDG_RUNTIME_DIR="$E2E_SUITE/ssh" "$@"; }
