# SPDX-License-Identifier: Apache-2.0
"""The parts of bench/run for the registry's issue: a bad line, TLS, a push of what is there."""
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import time

FAKE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "fake")
TOKEN_LIFE_S = 5
RESET_BYTES = 1_000_000


class LineParts:
    """Mixed into Bench, whose helpers it uses."""

    def fake(self, program, *words):
        """A program of tests/fake, which ends with the benchmark: its address."""
        port = f"{self.work}/{program}.{len(self.fakes)}"
        self.fakes.append(subprocess.Popen(
            [sys.executable, f"{FAKE}/{program}", "--port-file", port, *words]))
        for _ in range(400):
            if os.path.exists(port):
                with open(port, encoding="utf-8") as file:
                    return "127.0.0.1:" + file.read().strip()
            time.sleep(0.05)
        sys.exit(f"{program} did not start")

    def another_registry(self, name, auth="", env=None):
        """Over the same blobs as the first one."""
        at = f"{self.work}/{name}"
        os.makedirs(at, exist_ok=True)
        with open(at + "/config.yml", "w", encoding="utf-8") as file:
            file.write(f"version: 0.1\nlog: {{level: info}}\n"
                       f"storage: {{filesystem: {{rootdirectory: {self.work}/registry/data}}}}\n"
                       f"http: {{addr: '127.0.0.1:0'}}\n{auth}")
        with open(at + "/log", "wb") as log:
            self.fakes.append(subprocess.Popen(
                ["docker-registry", "serve", at + "/config.yml"], stdout=log, stderr=log,
                env=dict(os.environ, **(env or {}))))
        for _ in range(200):
            time.sleep(0.05)
            with open(at + "/log", encoding="utf-8", errors="replace") as log:
                if found := re.search(r"listening on (127\.0\.0\.1:\d+)", log.read()):
                    return found.group(1)
        sys.exit("docker-registry did not start")

    def make_heavy(self):
        """heavy:1, one layer of 256 MB that does not compress."""
        if not hasattr(self, "heavy_bytes"):
            layout = self.work + "/heavy"
            subprocess.run([sys.executable, FAKE + "/layout.py", layout, "heavy", "--layer",
                            "256000000:plain"], check=True, stdout=subprocess.DEVNULL)
            blobs = layout + "/blobs/sha256"
            self.heavy_bytes = sum(os.path.getsize(f"{blobs}/{n}") for n in os.listdir(blobs))
            self.push(layout, "heavy")
            shutil.rmtree(layout)

    def blob_bytes(self, log, methods, column):
        with open(log, encoding="utf-8") as file:
            rows = [line.split() for line in file]
        return sum(int(r[column]) for r in rows if r[1] in methods and "/blobs/" in r[2]
                   and r[3] in ("0", "200", "201", "202", "206"))

    def part_line(self):
        self.make_heavy()
        tokens, log = self.work + "/tokens", self.work + "/line.log"
        server = self.fake("token-server.py", "--dir", tokens, "--life", str(TOKEN_LIFE_S),
                           "--user", "ann:pw", "--log", tokens + ".log")
        behind = self.another_registry(
            "private", f"auth: {{token: {{realm: 'http://{server}/token', service: fake, "
                       f"issuer: fake-issuer, rootcertbundle: '{tokens}/cert.pem'}}}}\n")
        proxy = self.fake("proxy.py", "--upstream", behind, "--log", log, "--fault",
                          f"reset={RESET_BYTES} GET /blobs/")
        env = dict(self.env, **self.stores("line"))
        took, peak = self.peaks([self.dray, "pull", "-q", "--creds", "ann:pw",
                                 proxy + "/heavy:1"], env)
        got = self.blob_bytes(log, ("GET",), 7)
        with open(tokens + ".log", encoding="utf-8") as file:
            print(f"# 256 MB, a reset each {RESET_BYTES // 1_000_000} MB, tokens of {TOKEN_LIFE_S} "
                  f"s: {took / 1000:.1f} s, {len(file.readlines())} tokens")
        self.ratio("bytes over a line that resets / bytes of the image", got,
                   self.heavy_bytes, 1.05)
        self.line("peak memory of dray over that line", peak[0] / 1024, 64, " MiB")
        self.line("peak memory of the helper over that line", peak[1] / 1024, 32, " MiB")

    def part_tls(self):
        self.make_large()
        self.make_heavy()
        at = self.work + "/tls"
        os.makedirs(at)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-keyout", at + "/key.pem", "-out", at + "/cert.pem"], check=True,
                       stderr=subprocess.DEVNULL)
        secure = self.another_registry("secure", env={
            "REGISTRY_HTTP_TLS_CERTIFICATE": at + "/cert.pem",
            "REGISTRY_HTTP_TLS_KEY": at + "/key.pem"})
        from_where = {"plain": (self.address,), "TLS": (secure, "--tls-ca", at + "/cert.pem")}
        for name, what in (("large", "an image of five gzip layers"),
                           ("heavy", "one layer of 256 MB that does not compress")):
            self.tls_pulls(name, what, from_where)

    def tls_pulls(self, image, what, from_where):
        """In turns; the sides of a turn are compared, since the disk is not the same from one
        minute to the next."""
        times, cpu = ({side: [] for side in from_where} for _ in range(2))
        for turn in range(max(self.args.pulls, 5)):
            sides = list(from_where.items())
            for side, (address, *words) in sides if turn % 2 else reversed(sides):
                os.sync()
                env = dict(self.env, **self.stores(f"tls-{image}-{side}-{turn}"))
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                times[side].append(self.timed(
                    [self.dray, "pull", "-q", *words, f"{address}/{image}:1"], env))
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                cpu[side].append(1000 * (after.ru_utime + after.ru_stime -
                                         before.ru_utime - before.ru_stime))
        median = lambda of: {side: statistics.median(t) for side, t in of.items()}
        self.shown(f"pull of {what}", median(times))
        self.shown("dray's processor time", median(cpu))
        self.ratio(f"pull over TLS / plain: {what}",
                   statistics.median(tls / plain for tls, plain
                                     in zip(times["TLS"], times["plain"])), 1, 1.15)

    def part_push(self):
        self.make_heavy()
        log = self.work + "/push.log"
        proxy = self.fake("proxy.py", "--upstream", self.address, "--log", log)
        env = dict(self.env, **self.stores("push"))
        source, there = proxy + "/heavy:1", proxy + "/pushed:1"
        for words in (["pull", "-q", source], ["tag", source, there]):
            subprocess.run([self.dray, *words], env=env, check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(self.work + "/push/cache/notes", ignore_errors=True) # nothing is mounted
        took, peak = self.peaks([self.dray, "push", "-q", there], env)
        print(f"# push of 256 MB: {took / 1000:.2f} s")
        self.line("peak memory of dray during a push", peak[0] / 1024, 64, " MiB")
        sent = self.blob_bytes(log, ("PATCH", "PUT"), 6)
        self.ratio("bytes sent by a push / bytes of the image", sent, self.heavy_bytes, 1.05)
        os.truncate(log, 0)
        self.peaks([self.dray, "push", "-q", there], env)
        self.line("bytes of blobs sent by a push of what is there",
                  self.blob_bytes(log, ("PATCH", "PUT"), 6), 0, " B")
