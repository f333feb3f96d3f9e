# SPDX-License-Identifier: Apache-2.0
"""Containers with a schedule, with a real runtime. Needs root.

    test_schedule.py <dray-guest> <runtime> [test…]
"""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import test_lifecycle as life  # noqa: E402
import test_restart as restart  # noqa: E402
from test_lifecycle import detached, refused, session, spec  # noqa: E402
from test_restart import kill_monitor, reboot, remove, state, summary, until  # noqa: E402

NEVER = "0 0 29 2 *"  # not while we look


def waits(s, id, runs=0):
    return until(s, id, lambda i: i["status"] == "scheduled" and i.get("run_count", 0) >= runs)


def log(s, id):
    logs = s.open("container.logs", id=id)
    logs.wait()
    return bytes(logs.out[1])


def start_arms_it_and_each_run_goes_on_in_its_log_and_files():
    with session() as s:
        begun = time.time_ns()
        id = detached(s, "sh", "-c", "cat /n; echo x >> /n; exit 3", schedule="@every 1s")
        item = waits(s, id)
        assert item["next_run_ns"] >= begun + 10**9, item
        assert s.items("container.list")[0]["schedule"] == "@every 1s"
        item = waits(s, id, 2)
        assert item["exit_code"] == 3 and item["failed_count"] >= 2, item
        assert item["next_run_ns"] > item["started_ns"] > begun, item
        assert item["finished_ns"] > item["started_ns"], item
        assert log(s, id).startswith(b"x\n")
        shown = s.call("container.inspect", id=id)
        assert shown["Schedule"] == "@every 1s" and shown["RestartCount"] == 0
        assert shown["State"]["Status"] in ("restarting", "running"), shown["State"]
        assert shown["State"]["FailedRuns"] >= 2, shown["State"]
        s.call("container.stop", id=id)
        item = summary(s, id)
        assert item["status"] == "exited" and item["exit_code"] == 3, item
        assert "next_run_ns" not in item
        count = item["run_count"]
        # armed again: what it counted and its last end stay
        s.call("container.start", id=id)
        item = waits(s, id)
        assert item["run_count"] >= count and item["exit_code"] == 3, item
        waits(s, id, count + 1)
        names = [e["action"] for e in s.items("system.events", since_ns=begun,
                                              until_ns=time.time_ns(), filters=["container=" + id])]
        assert names[:4] == ["create", "schedule", "start", "die"], names
        assert names.count("schedule") == 2 and names.count("start") >= 3, names
        remove(s, id)


def no_run_begins_while_one_goes_on_and_health_is_looked_at_meanwhile():
    with session() as s:
        id = detached(s, "sh", "-c", "mkdir /at || echo twice; : > /hc; "
                      "until [ -e /go ]; do sleep 0.05; done; rm -r /at /go /hc",
                      schedule="@every 1s", health_test=["CMD-SHELL", "[ -e /hc ]"],
                      health_interval_ns=100000000)
        until(s, id, lambda i: i["status"] == "running" and i["health"] == "healthy")
        time.sleep(2.1)  # two times pass
        item = summary(s, id)
        assert item["status"] == "running" and item["run_count"] == 1, item
        s.call("container.pause", id=id)
        assert summary(s, id)["status"] == "paused"
        s.call("container.unpause", id=id)
        s.open("container.exec", id=id, args=["touch", "/go"]).wait()
        # it may wait so shortly that we do not see it
        item = until(s, id, lambda i: i["status"] == "scheduled" or i["run_count"] == 2)
        assert item["failed_count"] == 0, item
        if item["status"] == "scheduled":
            assert item["run_count"] == 1 and "health" not in item, item
            assert 0 < item["next_run_ns"] - item["finished_ns"] < 10e9, item
        item = until(s, id, lambda i: i["status"] == "running" and i["run_count"] == 2)
        assert item["failed_count"] == 0, item
        assert b"twice" not in log(s, id)
        remove(s, id)


def stop_kill_and_remove_end_one_that_waits_or_runs():
    with session() as s, session() as other:
        id = detached(s, "sleep", "100", schedule=NEVER)
        item = waits(s, id)
        assert item["run_count"] == 0 and not log(s, id), item
        assert s.call("container.inspect", id=id)["State"]["Runs"] == 0
        refused("conflict", "is scheduled", lambda: s.call("container.remove", id=id))
        refused("conflict", "not running (it is scheduled)",
                lambda: s.open("container.exec", id=id, args=["true"]).wait())
        refused("conflict", "", lambda: s.call("container.pause", id=id))
        wait = other.open("container.wait", id=id)
        s.call("container.stop", id=id)
        refused("conflict", "was never started", wait.wait)
        assert summary(s, id)["status"] == "created" and state(id)["stopped"] is True
        s.call("container.start", id=id)
        waits(s, id)
        s.call("container.start", id=id)  # it is
        s.call("container.kill", id=id, signal=int(signal.SIGKILL))
        assert summary(s, id)["status"] == "created"
        s.call("container.start", id=id)
        remove(s, id)
        for end in ("container.stop", "container.kill"):
            id = detached(s, "sleep", "100", schedule="@every 1s")
            until(s, id, lambda i: i["status"] == "running")
            s.call(end, id=id, **({"timeout_s": 0} if end == "container.stop" else
                                  {"signal": int(signal.SIGKILL)}))
            item = summary(s, id)
            assert item["status"] == "exited" and item["exit_code"] == 137, (end, item)
            assert item["failed_count"] == 1, item
            remove(s, id)


def what_goes_against_a_schedule_is_refused():
    with session() as s:
        for text, members in (("no restart policy", {"restart": "on-failure"}),
                              ("--rm", {"auto_remove": True})):
            refused("invalid spec", text, lambda: s.call(
                "container.create", spec=spec("true", schedule="@daily", **members)))
        refused("invalid spec", "'0 0 30 2 *'", lambda: s.call(
            "container.create", spec=spec("true", schedule="0 0 30 2 *")))
        refused("invalid spec", "started detached", lambda: s.open(
            "container.run", attach=True, spec=spec("true", schedule="@daily")).wait())
        assert s.items("container.list", all=True) == []
        id = s.call("container.create", spec=spec("true", schedule="@daily"))["id"]
        life.IDS.add(id)
        refused("invalid spec", "started detached", lambda: s.open(
            "container.start", attach=True, id=id).wait())
        refused("invalid spec", "no restart policy", lambda: s.call(
            "container.update", id=id, restart="always"))
        assert summary(s, id)["status"] == "created"
        remove(s, id)


def a_start_that_fails_is_a_failure_and_the_next_one_is_tried():
    with session() as s:
        id = detached(s, "sh", "-c", "exec /cmd", schedule="@every 1s")
        waits(s, id)
        bundle = restart.bundle(id)
        os.rename(life.ROOT + "/bundles/" + bundle, life.ROOT + "/bundles/away")
        item = until(s, id, lambda i: i.get("failed_count", 0) >= 1 and i.get("error"))
        assert item["status"] == "scheduled" and item["next_run_ns"] > 0, item
        os.rename(life.ROOT + "/bundles/away", life.ROOT + "/bundles/" + bundle)
        until(s, id, lambda i: i.get("exit_code") == 127 and not i.get("error"))
        remove(s, id)


def a_start_that_cannot_be_armed_says_why():
    with session() as s:
        port = {"host_port": 18473, "container_port": 80, "protocol": "tcp"}
        id = detached(s, "sleep", "100", schedule=NEVER, ports=[port])
        waits(s, id)
        other = s.call("container.create", spec=spec("true", schedule=NEVER, ports=[port]))["id"]
        life.IDS.add(other)
        refused("network", "18473", lambda: s.call("container.start", id=other))
        assert summary(s, other)["status"] == "created"
        remove(s, id)
        s.call("container.start", id=other)
        waits(s, other)
        remove(s, other)


def a_lost_monitor_is_followed_by_another_one_that_waits_on():
    with session() as s:
        id = detached(s, "sleep", "100", schedule=NEVER)
        due = waits(s, id)["next_run_ns"]
        kill_monitor(id)
        with session() as next_one:
            assert waits(next_one, id)["next_run_ns"] == due
            until(next_one, id, lambda i: os.path.exists(life.RUN + "/%s/sock" % id))
        s.call("container.stop", id=id)
        assert summary(s, id)["status"] == "created"
        remove(s, id)
        # lost while it runs: that run goes, unseen, the next one comes
        id = detached(s, "sleep", "100", schedule="@every 1s")
        pid = until(s, id, lambda i: i["status"] == "running")["pid"]
        kill_monitor(id)
        with session() as next_one:
            item = until(next_one, id, lambda i: i["run_count"] == 2 and i["status"] == "running")
            assert item["failed_count"] == 1 and item["pid"] != pid, item
            assert not life.alive(pid)
        remove(s, id)


def after_a_reboot_it_waits_again_unless_it_was_stopped():
    with session() as s:
        ids = {name: detached(s, "sleep", "100", schedule=NEVER)
               for name in ("waits", "stopped", "shut down")}
        runs = detached(s, "sleep", "100", schedule="@every 1s")
        for id in ids.values():
            waits(s, id)
        s.call("container.stop", id=ids["stopped"])
        until(s, runs, lambda i: i["status"] == "running")
        os.kill(state(ids["shut down"])["monitor_pid"], signal.SIGTERM)
        until(s, ids["shut down"], lambda i: i["status"] == "created")
    reboot()
    with session() as s:
        waits(s, ids["waits"])
        waits(s, ids["shut down"])
        assert summary(s, ids["stopped"])["status"] == "created"
        item = until(s, runs, lambda i: i["status"] == "running")
        assert item["run_count"] == 2 and item["failed_count"] == 1, item
        for id in [*ids.values(), runs]:
            remove(s, id)


def follow_goes_on_over_the_runs():
    with session() as s, session() as other:
        id = detached(s, "echo", "run", schedule="@every 1s")
        logs = other.open("container.logs", id=id, follow=True)
        waits(s, id, 2)
        s.call("container.stop", id=id)
        logs.wait(30)
        assert bytes(logs.out[1]).startswith(b"run\nrun\n"), bytes(logs.out[1])
        remove(s, id)


TESTS = [
    start_arms_it_and_each_run_goes_on_in_its_log_and_files,
    no_run_begins_while_one_goes_on_and_health_is_looked_at_meanwhile,
    stop_kill_and_remove_end_one_that_waits_or_runs,
    what_goes_against_a_schedule_is_refused,
    a_start_that_fails_is_a_failure_and_the_next_one_is_tried,
    a_start_that_cannot_be_armed_says_why,
    a_lost_monitor_is_followed_by_another_one_that_waits_on,
    after_a_reboot_it_waits_again_unless_it_was_stopped,
    follow_goes_on_over_the_runs,
]

if __name__ == "__main__":
    sys.exit(life.main(TESTS))
