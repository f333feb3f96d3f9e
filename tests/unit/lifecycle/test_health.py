# SPDX-License-Identifier: Apache-2.0
"""Health checks, with a real runtime. Needs root.

    test_health.py <dray-guest> <runtime> [test…]
"""
import calendar
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import test_lifecycle as life  # noqa: E402
from session import busybox_layer  # noqa: E402
from test_lifecycle import detached, session  # noqa: E402
from test_restart import kill_monitor, remove, runs, state, summary, until  # noqa: E402

MS = 1000000
FAST = {"health_interval_ns": 100 * MS, "health_timeout_ns": 20000 * MS}
# starting until it is well once, however many probes there are before
SLOW_START = {"health_start_period_ns": 600000 * MS, "health_start_interval_ns": 100 * MS}


def health(s, id):
    return s.call("container.inspect", id=id)["State"].get("Health")


def healthy_after(s, id, wanted, timeout=20):
    return until(s, id, lambda i: i.get("health") == wanted, timeout)


def until_log(s, id, wanted, timeout=20):
    end = time.time() + timeout
    while True:
        shown = health(s, id)
        if wanted(shown):
            return shown
        assert time.time() < end, shown
        time.sleep(0.05)


def seconds(text):
    """2026-01-02T03:04:05.6Z as time.time() counts."""
    return calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) + \
        float("0" + text[19:].rstrip("Z"))


def a_command_says_how_it_is_and_the_last_five_results_are_kept():
    with session() as s:
        id = detached(s, "sleep", "100",
                      health_test=["CMD-SHELL", "echo looked; test -e /ok"],
                      health_retries=3, **FAST, **SLOW_START)
        assert summary(s, id)["health"] == "starting"
        s.open("container.exec", id=id, args=["touch", "/ok"]).wait()
        healthy_after(s, id, "healthy")
        s.open("container.exec", id=id, args=["rm", "/ok"]).wait()
        healthy_after(s, id, "unhealthy")
        shown = until_log(s, id, lambda h: len(h["Log"]) == 5 and h["FailingStreak"] >= 5)
        assert shown["Status"] == "unhealthy"
        for entry in shown["Log"]:
            assert entry["ExitCode"] == 1 and entry["Output"] == "looked\n", entry
            assert entry["Start"] < entry["End"]
        config = s.call("container.inspect", id=id)["Config"]["Healthcheck"]
        assert config["Test"] == ["CMD-SHELL", "echo looked; test -e /ok"], config
        assert config["Interval"] == 100 * MS and config["Retries"] == 3
        actions = [i["action"] for i in s.items("system.events", until_ns=time.time_ns())
                   if i["id"] == id and i["action"].startswith("health")]
        assert actions == ["health_status: healthy", "health_status: unhealthy"], actions
        s.call("container.stop", id=id, timeout_s=0)
        assert "health" not in summary(s, id)
        assert health(s, id)["Status"] == "unhealthy"
        remove(s, id)


def the_images_check_is_used_and_NONE_takes_it_away():
    check = {"Test": ["CMD", "true"], "Interval": 100 * MS}
    with session() as s:
        s.put_image("docker.io/library/checked:latest", [busybox_layer()],
                    {"Env": ["PATH=/bin"], "Healthcheck": check})
        image = "docker.io/library/checked:latest"
        id = detached(s, "sleep", "100", image=image)
        healthy_after(s, id, "healthy")
        remove(s, id)
        id = detached(s, "sleep", "100", image=image, health_test=["NONE"])
        time.sleep(0.4)
        assert health(s, id) is None and "health" not in summary(s, id)
        remove(s, id)
        id = detached(s, "sleep", "100", image=image, health_retries=7)
        config = s.call("container.inspect", id=id)["Config"]["Healthcheck"]
        assert config["Test"] == ["CMD", "true"] and config["Retries"] == 7, config
        remove(s, id)


def a_probe_that_takes_too_long_is_killed():
    with session() as s:
        id = detached(s, "sleep", "100", health_test=["CMD-SHELL", "echo begun; exec sleep 77"],
                      health_interval_ns=100 * MS, health_timeout_ns=300 * MS, health_retries=1)
        healthy_after(s, id, "unhealthy")
        # on a busy machine it may be too late for the first to say anything
        until_log(s, id, lambda h: any(
            e["ExitCode"] == -1 and e["Output"] == "Health check exceeded timeout (0.3s): begun\n"
            for e in h["Log"]))
        until(s, id, lambda i: len([p for p in life.processes() if b"77" in p[1]]) <= 1)
        remove(s, id)


def a_command_that_is_not_there_is_a_failure_with_its_reason():
    with session() as s:
        id = detached(s, "sleep", "100", health_test=["CMD", "nothere"], health_retries=1, **FAST)
        healthy_after(s, id, "unhealthy")
        until_log(s, id, lambda h: any("nothere" in e["Output"] for e in h["Log"]))
        remove(s, id)


def output_is_cut_and_made_text():
    with session() as s:
        id = detached(s, "sleep", "100", **dict(FAST, health_test=[
            "CMD-SHELL", "printf 'a\\377b'; yes 2>/dev/null | dd bs=1000 count=100 2>/dev/null"]))
        healthy_after(s, id, "healthy")
        output = health(s, id)["Log"][0]["Output"]
        assert output.startswith("a\ufffdb") and 4000 < len(output) <= 4096, len(output)
        remove(s, id)


def failures_in_the_start_period_do_not_count():
    with session() as s:
        id = detached(s, "sleep", "100", health_test=["CMD", "false"], health_retries=1,
                      **FAST, **SLOW_START)
        shown = until_log(s, id, lambda h: len(h["Log"]) >= 3)
        assert shown["Status"] == "starting" and shown["FailingStreak"] == 0, shown
        remove(s, id)
        id = detached(s, "sleep", "100", health_test=["CMD", "false"], health_retries=1,
                      health_start_period_ns=500 * MS, health_start_interval_ns=100 * MS, **FAST)
        healthy_after(s, id, "unhealthy")
        remove(s, id)


def tcp_and_http_are_looked_at_inside_the_containers_network_without_its_help():
    answer = "printf 'HTTP/1.1 %s\\r\\nContent-Length: 5\\r\\n\\r\\nhello'"
    script = "while :; do %s | nc -l -p 8080; done >/dev/null"
    with session() as s:
        for test, said, wanted in (
                (["TCP", "8080"], None, "healthy"),
                (["TCP", "127.0.0.1:8080"], None, "healthy"),
                (["TCP", "81"], None, "unhealthy"),
                (["HTTP", ":8080/x"], "204 No", "healthy"),
                (["HTTP", "http://localhost:8080"], "200 OK", "healthy"),
                (["HTTP", ":8080/x"], "503 Busy", "unhealthy")):
            id = detached(s, "sh", "-c", script % (answer % (said or "200 OK")),
                          health_test=test, health_retries=3, **FAST)
            healthy_after(s, id, wanted)
            # nobody listens between two turns of the script: a refused probe may be there, too
            if said:
                shown = until_log(s, id, lambda h, text="HTTP/1.1 " + said: any(
                    text in e["Output"] for e in h["Log"]))
                entry = [e for e in shown["Log"] if "HTTP/1.1 " + said in e["Output"]][-1]
                assert entry["Output"].endswith("hello"), entry
            elif wanted == "unhealthy":
                said = "connect to localhost port 81: Connection refused"
                until_log(s, id, lambda h, said=said: h["Log"][-1]["Output"] == said)
            remove(s, id)


def a_restart_begins_with_starting_and_no_probe_outlives_its_run():
    with session() as s:
        id = detached(s, "sh", "-c", "[ -e /first ] || : > /ok; : > /first; "
                      "until [ -e /go ]; do sleep 0.05; done; rm /go /ok", restart="always",
                      health_test=["CMD-SHELL", "[ -e /ok ]"], health_retries=1000,
                      **FAST, **SLOW_START)
        healthy_after(s, id, "healthy")
        s.open("container.exec", id=id, args=["touch", "/go"]).wait()
        runs(s, id, 1)
        assert summary(s, id)["health"] == "starting"
        s.open("container.exec", id=id, args=["touch", "/ok"]).wait()
        healthy_after(s, id, "healthy")
        remove(s, id)
        id = detached(s, "sleep", "100", health_test=["CMD", "sleep", "77"],
                      health_interval_ns=50 * MS)
        until(s, id, lambda i: [p for p in life.processes() if b"77" in p[1]])
        begun = time.time()
        s.call("container.stop", id=id, timeout_s=0)
        assert time.time() - begun < 30
        assert not [p for p in life.processes() if b"77" in p[1]]
        remove(s, id)


def a_lost_monitor_leaves_no_probe_and_the_next_one_goes_on():
    with session() as s:
        id = detached(s, "sleep", "100", restart="always", health_test=["CMD", "true"], **FAST)
        healthy_after(s, id, "healthy")
        kill_monitor(id)
        runs(s, id, 1)
        healthy_after(s, id, "healthy")
        assert state(id)["restart_count"] == 1
        remove(s, id)


def a_paused_one_is_not_probed():
    with session() as s:
        id = detached(s, "sleep", "100", health_test=["CMD", "true"], health_retries=1,
                      health_interval_ns=100 * MS, health_timeout_ns=300 * MS)
        healthy_after(s, id, "healthy")
        s.call("container.pause", id=id)
        paused = time.time()
        before = None
        for _ in range(2):  # one may have been under way, and may have been well
            if health(s, id) != before:
                before = health(s, id)
                time.sleep(1)
        assert health(s, id) == before, health(s, id)
        assert not [e for e in before["Log"] if e["ExitCode"] and seconds(e["End"]) > paused], \
            (before, paused)
        s.call("container.unpause", id=id)
        until_log(s, id, lambda h: h != before and h["Status"] == "healthy")
        remove(s, id)


TESTS = [
    a_paused_one_is_not_probed,
    a_command_says_how_it_is_and_the_last_five_results_are_kept,
    the_images_check_is_used_and_NONE_takes_it_away,
    a_probe_that_takes_too_long_is_killed,
    a_command_that_is_not_there_is_a_failure_with_its_reason,
    output_is_cut_and_made_text,
    failures_in_the_start_period_do_not_count,
    tcp_and_http_are_looked_at_inside_the_containers_network_without_its_help,
    a_restart_begins_with_starting_and_no_probe_outlives_its_run,
    a_lost_monitor_leaves_no_probe_and_the_next_one_goes_on,
]

if __name__ == "__main__":
    sys.exit(life.main(TESTS))
