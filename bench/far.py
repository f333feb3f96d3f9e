# SPDX-License-Identifier: Apache-2.0
"""The part of bench/run for far targets: what dray costs over ssh."""
import os
import subprocess
import time

PORT = 2224
# ssh takes its configuration from /root/.ssh and nowhere else: both see ours there.
INSIDE = 'mount --bind "$0" /root/.ssh && exec "$@"'
EXTRA_MS = 60


class FarParts:
    """Mixed into Bench, whose helpers it uses."""

    def start_sshd(self):
        at = self.work + "/sshd"
        os.makedirs(at + "/ssh", 0o700)
        os.makedirs("/root/.ssh", 0o700, exist_ok=True)
        os.makedirs("/run/sshd", exist_ok=True)
        for key in ("host", "ssh/id_ed25519"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{at}/{key}"], check=True)
        with open(at + "/host.pub", encoding="ascii") as key, \
                open(at + "/ssh/known_hosts", "w", encoding="ascii") as known:
            known.write(f"[127.0.0.1]:{PORT} {key.read()}")
        with open(at + "/config", "w", encoding="ascii") as config:
            config.write(f"Port {PORT}\nListenAddress 127.0.0.1\nHostKey {at}/host\n"
                         f"AuthorizedKeysFile {at}/ssh/id_ed25519.pub\nPermitRootLogin yes\n"
                         "StrictModes no\nUsePAM no\nPidFile none\n")
        self.fakes.append(subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", at + "/config"],
                                           stderr=subprocess.DEVNULL))
        time.sleep(1)
        return at

    def part_ssh(self):
        """dray's connection stays; then both make one each time (as from Windows); then both use one that
        is there, where what is left is the run itself."""
        at = self.start_sshd()
        self.ssh_turns(at, "", "")
        self.ssh_turns(at, "ControlMaster no\nControlPath none\n", ", each its own connection")
        self.ssh_turns(at, f"ControlMaster auto\nControlPath {at}/one\nControlPersist 60\n",
                       ", both over one", None)

    def ssh_turns(self, at, config, how, limit=EXTRA_MS):
        with open(at + "/ssh/config", "w", encoding="ascii") as file:
            file.write(config)
        target = f"ssh://root@127.0.0.1:{PORT}"
        env = dict(self.env, XDG_RUNTIME_DIR=at)
        inside = ["unshare", "-m", "sh", "-c", INSIDE, at + "/ssh"]
        plain = [*inside, "ssh", "-p", str(PORT), "root@127.0.0.1", "true"]
        run = [*inside, self.dray, "--target", target, "run", "--rm", "--network", "none", self.small, "true"]
        pull = [*inside, self.dray, "--target", target, "pull", "-q", self.small]
        subprocess.run(pull, env=env, check=True, stdout=subprocess.DEVNULL)
        ms = self.compare({"ssh host true": lambda: (plain, env), "dray run --rm true": lambda: (run, env)},
                          self.args.runs)
        masters = [f"{at}/dray/{name}" for name in os.listdir(at + "/dray") if name != "config"]
        for master in [*masters, at + "/one"]:
            subprocess.run(["ssh", "-O", "exit", "-S", master, "x"], check=False, stderr=subprocess.DEVNULL)
        self.shown("over ssh" + how, ms)
        if None not in ms.values():
            self.line("run --rm true over ssh, over plain `ssh host true`" + how,
                      ms["dray run --rm true"] - ms["ssh host true"], limit, " ms")
