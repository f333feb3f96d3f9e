# SPDX-License-Identifier: Apache-2.0
"""The part of bench/run about networks and published ports."""
import json
import os
import re
import statistics
import subprocess
import time

INSIDE = 5201  # iperf3's port in the container
SECONDS = 2
PORTS = 50


def ticks(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def private_kb(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
        return sum(int(n) for n in re.findall(r"Private_(?:Clean|Dirty):\s*(\d+)", file.read()))


class NetworkParts:
    """Mixed into Bench, whose helpers it uses."""

    def fresh(self):
        """podman without what it has of containers, in a subnet of its own."""
        if not hasattr(self, "cni"):
            self.cni = self.work + "/cni"
            os.mkdir(self.cni)
        return self.podman("--network-config-dir", self.cni)

    def inspected(self, words, name):
        out = subprocess.run([self.dray, "inspect", "--format", words, name], env=self.env,
                             check=True, text=True, stdout=subprocess.PIPE).stdout
        return out.strip()

    def monitor_of(self, name):
        with open(f"/proc/{self.inspected('{{.State.Pid}}', name)}/status", encoding="utf-8") as file:
            return int(re.search(r"PPid:\s*(\d+)", file.read()).group(1))

    def dray_run(self, *words):
        subprocess.run([self.dray, "--runtime", self.runtimes["crun"], "run", "-d", *words,
                        self.small, "sleep", "1000"], env=self.env, check=True,
                       stdout=subprocess.DEVNULL)

    def network_starts(self):
        network = lambda name: self.dray_with("crun", "run", "--rm", "--network", name, self.small,
                                              "true")
        ms = self.compare({
            "none": network("none"), "bridge": network("bridge"),
            "podman": lambda: (self.fresh() + ["run", "--rm", *self.podman_limits(), self.small,
                                               "true"], None)}, self.args.runs)
        print("# run true, ms: " + ", ".join(f"{n} {t:.1f}" if t else f"{n} –" for n, t in ms.items()))
        self.line("run true on the bridge, over --network none",
                  ms["bridge"] - ms["none"] if ms["bridge"] and ms["none"] else None, 10, " ms")
        self.ratio("run true on the bridge: dray / podman's default network", ms["bridge"],
                   ms["podman"], 1 / 5)

    def network_many(self):
        count = self.args.many
        took = {}
        for name in ("dray", "podman"):
            began = time.perf_counter()
            for i in range(count):
                command = ([self.dray, "--runtime", self.runtimes["crun"], "run", "-d", "--network",
                            "bridge", self.small, "sleep", "1000"] if name == "dray" else
                           self.fresh() + ["run", "-d", *self.podman_limits(), self.small, "sleep",
                                           "1000"])
                subprocess.run(command, env=self.env, check=True, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL)
            took[name] = time.perf_counter() - began
            remove = (f"'{self.dray}' ps -aq | xargs -r '{self.dray}' rm -f" if name == "dray" else
                      " ".join(self.fresh()) + " rm -f -a -t 0")
            subprocess.run(remove, shell=True, env=self.env, check=False,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        print(f"# {count} on one bridge, s: " + ", ".join(f"{n} {t:.1f}" for n, t in took.items()))
        self.ratio(f"{count} containers on one bridge in sequence: dray / podman", took["dray"],
                   took["podman"], 1 / 3)

    def iperf(self, port, reverse):
        """MB/s"""
        command = ["iperf3", "-c", "127.0.0.1", "-p", str(port), "-t", str(SECONDS), "-J"]
        for _ in range(20):  # the server takes one at a time
            out = subprocess.run(command + (["-R"] if reverse else []), check=False, text=True,
                                 stdout=subprocess.PIPE).stdout
            end = json.loads(out or "{}").get("end", {})
            if "sum_received" in end and "bits_per_second" in end["sum_received"]:
                return end["sum_received"]["bits_per_second"] / 8e6
            time.sleep(0.3)
        return None

    def network_proxy(self):
        """One server in a container; three ways to it from the same address."""
        self.dray_run("--name", "served", "--network", "bridge", "-p", f"7100:{INSIDE}")
        address = self.inspected("{{.NetworkSettings.IPAddress}}", "served")
        inside = ["nsenter", "-t", self.inspected("{{.State.Pid}}", "served"), "-n"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        server = subprocess.Popen(inside + ["iperf3", "-s", "-p", str(INSIDE)], **quiet)
        docker = subprocess.Popen(
            ["sh", "-c", "exec docker-proxy -proto tcp -host-ip 127.0.0.1 -host-port 7101 "
             f"-container-ip {address} -container-port {INSIDE} 3>/dev/null"], **quiet)
        socat = subprocess.Popen(["socat", "-b", "65536", "TCP-LISTEN:7102,bind=127.0.0.1,fork,reuseaddr",
                                  f"TCP:{address}:{INSIDE}"], **quiet)
        time.sleep(1)
        ways = {"dray": (7100, self.monitor_of("served")), "docker-proxy": (7101, docker.pid),
                "socat": (7102, None)}
        rates, cost = {n: [] for n in ways}, {n: [] for n in ways}
        for turn in range(max(3, self.args.pulls)):
            for name, (port, pid) in ways.items():
                before = ticks(pid)
                both = [self.iperf(port, reverse) for reverse in (False, True)]
                if None in both:
                    continue
                rates[name].append(sum(both) / 2)
                cost[name].append((ticks(pid) - before) * 10 / (sum(both) * SECONDS / 1000))
        for process in (server, docker, socat):
            process.terminate()
            process.wait()
        rate = {n: statistics.median(r) if r else None for n, r in rates.items()}
        print("# through a published port, MB/s: " +
              ", ".join(f"{n} {r:.0f}" if r else f"{n} –" for n, r in rate.items()))
        print("# processor of the proxy, ms per GB: " +
              ", ".join(f"{n} {statistics.median(cost[n]):.0f}" for n in ("dray", "docker-proxy")
                        if cost[n]))
        for other, limit in (("docker-proxy", None), ("socat", 1 / 0.8)):
            self.ratio(f"proxy, time per byte: dray / {other}", rate[other], rate["dray"], limit)
        if cost["dray"] and cost["docker-proxy"]:
            self.ratio("proxy, processor per byte: dray / docker-proxy",
                       statistics.median(cost["dray"]), statistics.median(cost["docker-proxy"]), 1)
        self.quiet([self.dray, "rm", "-f", "served"])

    def network_memory(self):
        published = [w for i in range(PORTS) for w in ("-p", f"{7200 + i}:{7200 + i}")]
        sizes = {}
        for name, words in (("plain", []), ("one", ["-p", "7199:80"]), ("many", published)):
            self.dray_run("--name", name, "--network", "bridge", *words)
            time.sleep(0.5)
            sizes[name] = private_kb(self.monitor_of(name))
            self.quiet([self.dray, "rm", "-f", name])
        print("# monitor's private memory, kB: " +
              ", ".join(f"{n} {s}" for n, s in sizes.items()) + f" (many: {PORTS})")
        self.line("private memory, the first published port", sizes["one"] - sizes["plain"], 50, " kB")
        self.line("private memory, each of fifty published ports",
                  (sizes["many"] - sizes["plain"]) / PORTS, 50, " kB")

    def part_networks(self):
        if "crun" not in self.runtimes:
            return
        self.network_starts()
        self.network_memory()
        self.network_proxy()
        self.network_many()
