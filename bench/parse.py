# SPDX-License-Identifier: Apache-2.0
"""What deployments cost before anything is done over there."""
import statistics
import subprocess
import time


def big_file(lines):
    """A deployment of so many lines, as a person would write it."""
    text, n = ["version: v1", "deployment: big", "services:"], 0
    while len(text) < lines:
        text += [f"  s{n}:", "    image: {name: nginx:1.25, pull_policy: always}", "    env:"]
        text += [f"      VARIABLE{i}: value {i}" for i in range(8)]
        text += ["    resources: {cpu: 500m, memory: 512Mi}", "    storage:", f"    - data{n}:/data",
                 "    - ./conf:/etc/conf:ro", "    endpoints: [{name: http, port: 80}]",
                 "    health: {http: {port: 80, path: /up}, interval: 5s}", "    labels:",
                 "      tier: front", "      team: one", "    restart_policy: always"]
        if n:
            text += ["    depends:", f"    - s{n - 1}"]
        n += 1
    return "\n".join(text[:lines]) + "\n"


class ParseParts:
    def part_parse(self):
        path = self.work + "/big.yaml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(big_file(10000))
        times = []
        for _ in range(self.args.runs):
            start = time.monotonic()
            subprocess.run([self.dray, "compose", "config", "-q", "-f", path], check=True, env=self.env)
            times.append((time.monotonic() - start) * 1000)
        self.line("a deployment of 10,000 lines read and checked", statistics.median(times), 50, " ms")
