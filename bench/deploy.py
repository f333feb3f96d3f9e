# SPDX-License-Identifier: Apache-2.0
"""The part of bench/run about deployments."""
import os
import statistics
import subprocess
import time

SERVICES = 10


class DeployParts:
    """Mixed into Bench, whose helpers it uses."""

    def deployment(self):
        at = self.work + "/deploy"
        os.makedirs(at, exist_ok=True)
        with open(at + "/dray.yaml", "w", encoding="utf-8") as file:
            file.write("version: v1\ndeployment: bench\nservices:\n")
            for n in range(SERVICES):
                file.write(f'  s{n}: {{image: {{name: "{self.small}"}}, network_mode: none, '
                           "stop_signal: KILL, command: {args: [sleep, '1000']}}\n")
        return at + "/dray.yaml"

    def took_ms(self, *words):
        begun = time.monotonic()
        subprocess.run(words, env=self.env, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        return (time.monotonic() - begun) * 1000

    def part_deploy(self):
        crun = [self.dray, "--runtime", self.runtimes["crun"]]
        up = [*crun, "up", "-d", "-f", self.deployment()]
        down = [*crun, "down", "-p", "bench"]
        times = {"dray": [], "podman": [], "again": [], "info": []}
        for _ in range(max(3, self.args.runs // 4)):
            times["dray"].append(self.took_ms(*up))
            for _ in range(4):
                times["again"].append(self.took_ms(*up))
                times["info"].append(self.took_ms(*crun, "info"))
            self.took_ms(*down)
            begun = time.monotonic()
            for n in range(SERVICES):
                self.took_ms(*self.podman("run", "-d", "--name", f"s{n}", *self.podman_limits(),
                                          "--network", "none", self.small, "sleep", "1000"))
            times["podman"].append((time.monotonic() - begun) * 1000)
            self.took_ms(*self.podman("rm", "-f", "-a", "-t", "0"))
        ms = {name: statistics.median(of) for name, of in times.items()}
        print(f"# up of {SERVICES} services {ms['dray']:.0f} ms, podman one by one {ms['podman']:.0f} ms; "
              f"up in place {ms['again']:.1f} ms, info {ms['info']:.1f} ms")
        self.ratio(f"up of {SERVICES} services: dray / podman one by one", ms["dray"], ms["podman"], 1 / 3)
        self.line("up of a deployment in place, more than info", ms["again"] - ms["info"], 20, "ms")
