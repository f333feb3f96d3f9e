# SPDX-License-Identifier: Apache-2.0
"""The parts of bench/run that measure what the runtime contract's issue has numbers for:
logs, many containers, listing, waiting, attached output."""
import os
import statistics
import subprocess
import time

LINE = b"x" * 79 + b"\n"  # 80 bytes, as the issue has it
MEGABYTE = 1_000_000


class ContractParts:
    """Mixed into Bench, whose helpers it uses."""

    def lines_file(self):
        """200 MB of 80-byte lines that a container reads and writes: cat costs little."""
        path = self.work + "/lines"
        if not os.path.exists(path):
            block = LINE * (MEGABYTE // len(LINE))
            with open(path, "wb") as file:
                for _ in range(self.args.log_megabytes):
                    file.write(block)
        return path

    def quiet(self, command):
        subprocess.run(command, env=self.env, check=False, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def elapsed(self, *commands):
        """Milliseconds of commands one after another; None when one failed."""
        took = [self.timed(c, limit=600) for c in commands]
        return None if None in took else sum(took)

    def turns(self, what, count, prepare=None):
        """what: name → function that gives milliseconds. They take turns; medians."""
        times = {name: [] for name in what}
        for _ in range(count):
            for name, measure in what.items():
                if prepare:
                    prepare(name)
                os.sync()
                took = measure()
                if took is not None:
                    times[name].append(took)
        return {n: statistics.median(t) if t else None for n, t in times.items()}

    def shown(self, title, ms, unit="ms"):
        print(f"# {title}, {unit}: " + ", ".join(f"{n} {t:.1f}" if t else f"{n} –"
                                                 for n, t in ms.items()))

    # --- 200 MB of log lines ---

    def part_logs(self):
        lines = self.lines_file()
        mount = ["-v", lines + ":/lines:ro"]
        command = [self.small, "cat", "/lines"]

        def dray():
            took = self.elapsed(
                [self.dray, "run", "-d", "--name", "logs", "--network", "none", "--log-opt",
                 "max-size=1g", *mount, *command], [self.dray, "wait", "logs"])
            if took is None:
                return None
            kept = os.path.getsize(f"{self.env['DRAY_ROOT']}/logs/logs.log")
            assert kept >= self.args.log_megabytes * MEGABYTE, "the log is not whole"
            return took

        def podman():
            return self.elapsed(
                self.podman("run", "-d", "--name", "logs", *self.podman_limits(), "--network",
                            "none", "--log-driver", "k8s-file", *mount, *command),
                self.podman("wait", "--interval", "5ms", "logs"))

        def clean(_):
            self.quiet([self.dray, "rm", "-f", "logs"])
            self.quiet(self.podman("rm", "-f", "-t", "0", "logs"))

        ms = self.turns({"podman k8s-file": podman, "dray": dray}, 3, clean)
        clean(None)
        self.shown(f"{self.args.log_megabytes} MB of 80-byte lines into the log", ms)
        self.ratio("log of 80-byte lines: dray / podman's k8s-file", ms["dray"],
                   ms["podman k8s-file"], 0.5)

    # --- fifty containers, one after another ---

    def part_many(self):
        count, names = self.args.many, []

        def all_of(command):
            def measure():
                return self.elapsed(*[command(i) for i in range(count)])
            return measure

        def dray(i):
            return [self.dray, "run", "-d", "--name", f"many-{i}", "--network", "none", self.small,
                    "sleep", "1000"]

        def podman(i):
            return self.podman("run", "-d", "--name", f"many-{i}", *self.podman_limits(),
                               "--network", "none", self.small, "sleep", "1000")

        names = [f"many-{i}" for i in range(count)]

        def clean(_):
            self.quiet([self.dray, "rm", "-f", *names])
            self.quiet(self.podman("rm", "-f", "-t", "0", *names))

        ms = self.turns({"podman": all_of(podman), "dray": all_of(dray)}, 3, clean)
        clean(None)
        self.shown(f"{count} detached containers in sequence", ms)
        self.ratio(f"{count} detached containers in sequence: dray / podman", ms["dray"],
                   ms["podman"], 1 / 3)

    # --- ps -a with two hundred ---

    def part_ps(self):
        names = [f"listed-{i}" for i in range(self.args.listed)]
        for name in names:
            self.quiet([self.dray, "create", "--name", name, "--network", "none", self.small, "true"])
            self.quiet(self.podman("create", "--name", name, *self.podman_limits(), "--network",
                                   "none", self.small, "true"))
        ms = self.compare({"podman": lambda: (self.podman("ps", "-a"), None),
                           "dray": lambda: ([self.dray, "ps", "-a"], None)}, self.args.runs)
        shown = subprocess.run([self.dray, "ps", "-aq"], env=self.env, check=True, text=True,
                               stdout=subprocess.PIPE).stdout.split()
        assert len(shown) >= len(names), "containers are missing"
        self.quiet([self.dray, "rm", *names])
        self.quiet(self.podman("rm", *names))
        self.shown(f"ps -a with {len(names)} containers", ms)
        self.ratio(f"ps -a with {len(names)} containers: dray / podman", ms["dray"], ms["podman"],
                   1 / 4)

    # --- how soon wait returns ---

    def part_wait(self):
        delays = []
        for _ in range(self.args.runs):
            self.quiet([self.dray, "rm", "-f", "waited"])
            self.quiet([self.dray, "run", "-d", "--name", "waited", self.small, "sleep", "1000"])
            pid = int(subprocess.run(
                [self.dray, "inspect", "--format", "{{.State.Pid}}", "waited"], env=self.env,
                check=True, text=True, stdout=subprocess.PIPE).stdout)
            with subprocess.Popen([self.dray, "wait", "waited"], env=self.env,
                                  stdout=subprocess.PIPE) as waiter:
                time.sleep(0.1)
                began = time.perf_counter()
                os.kill(pid, 9)
                assert waiter.stdout.readline() == b"137\n"
                delays.append((time.perf_counter() - began) * 1000)
                waiter.wait()
        self.quiet([self.dray, "rm", "-f", "waited"])
        self.line("wait says the code after the end of the container, median",
                  statistics.median(delays), 10, " ms")

    # --- attached output ---

    def part_attached(self):
        lines = self.lines_file()

        def run(name, driver):
            words = ["run", "--rm", "--network", "none", *driver, "-v", lines + ":/lines:ro"]
            if name == "podman":
                command = self.podman(*words, *self.podman_limits(), self.small, "cat", "/lines")
            else:
                command = [self.dray, *words, self.small, "cat", "/lines"]
            return lambda: self.rate(command)

        rates = self.turns({"podman": run("podman", ["--log-driver", "none"]),
                            "dray": run("dray", ["--log-driver", "none"]),
                            "dray with its log": run("dray", [])}, 3)
        self.shown("attached output", rates, "MB/s")
        self.line("attached output of dray (no limit here)", rates["dray"], None, " MB/s")
        self.ratio("attached output, time: dray / podman, both without a log", rates["podman"],
                   rates["dray"])

    def rate(self, command):
        """MB/s of what a command writes to a pipe; None when not all came."""
        began = time.perf_counter()
        total = 0
        with subprocess.Popen(command, env=self.env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            while chunk := process.stdout.read1(1 << 20):
                total += len(chunk)
        if total != os.path.getsize(self.lines_file()):
            return None
        return total / MEGABYTE / (time.perf_counter() - began)
