# SPDX-License-Identifier: Apache-2.0
"""Restart policies, the lost monitor and the reboot, with a real runtime. Needs root.

    test_restart.py <dray-guest> <runtime> [test…]
"""
import json
import os
import shutil
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import test_lifecycle as life  # noqa: E402
from test_lifecycle import detached, refused, session, spec  # noqa: E402


def summary(s, id):
    for item in s.items("container.list", all=True):
        if item["id"].startswith(id) or item["name"] == id:
            return item
    return None


def until(s, id, wanted, timeout=20):
    """The summary once wanted(summary) holds."""
    end = time.time() + timeout
    while True:
        item = summary(s, id)
        if wanted(item):
            return item
        assert time.time() < end, item
        time.sleep(0.02)


def runs(s, id, count, timeout=20):
    return until(s, id, lambda i: i["status"] == "running" and
                 i.get("restart_count", 0) >= count, timeout)


def refused_while_it_waits(s, id, text, call):
    """Of one that ends at once: it may be in the middle of its next start."""
    for _ in range(10):
        before = until(s, id, lambda i: i["status"] == "restarting" and i["restart_count"] >= 3)
        try:
            return refused("conflict", text, call)
        except AssertionError:
            if summary(s, id) == before:
                raise
    raise AssertionError("it never waits: %r" % summary(s, id))


def state_path(id):
    return life.ROOT + "/containers/%s/state.json" % id


def state(id):
    with open(state_path(id)) as file:
        return json.load(file)


def kill_monitor(id):
    monitor = state(id)["monitor_pid"]
    os.kill(monitor, signal.SIGKILL)
    life.dead(monitor)


def remove(s, id):
    s.call("container.remove", id=id, force=True)


# --- policies --------------------------------------------------------------------------------

def always_comes_back_with_its_files_and_goes_on_in_its_log():
    with session() as s:
        id = detached(s, "sh", "-c", "cat /n; echo x >> /n; exit 3", restart="always")
        until(s, id, lambda i: i.get("restart_count", 0) >= 3 and
              i["status"] == "restarting" and i["exit_code"] == 3)
        logs = s.open("container.logs", id=id)
        logs.wait()
        assert bytes(logs.out[1]).startswith(b"x\nx\nx\n"), bytes(logs.out[1])
        shown = s.call("container.inspect", id=id)
        assert shown["RestartCount"] >= 3
        assert shown["HostConfig"]["RestartPolicy"] == {"Name": "always", "MaximumRetryCount": 0}
        s.call("container.stop", id=id)
        item = summary(s, id)
        assert item["status"] == "exited" and item["exit_code"] == 3, item
        remove(s, id)


def on_failure_gives_up_after_its_number_and_wait_hears_the_last_end():
    with session() as s, session() as other:
        id = detached(s, "sh", "-c", "sleep 0.2; exit 4", restart="on-failure", restart_max=2)
        assert other.call("container.wait", id=id) == {"exit_code": 4}
        item = summary(s, id)
        assert item["status"] == "exited" and item["restart_count"] == 2, item
        remove(s, id)
        id = detached(s, "true", restart="on-failure")
        assert s.call("container.wait", id=id) == {"exit_code": 0}
        assert summary(s, id)["restart_count"] == 0
        # who starts it begins to count again
        remove(s, id)


def a_start_by_a_person_begins_to_count_again():
    with session() as s:
        id = detached(s, "false", restart="on-failure", restart_max=1)
        assert s.call("container.wait", id=id) == {"exit_code": 1}
        assert summary(s, id)["restart_count"] == 1
        s.call("container.start", id=id)
        assert s.call("container.wait", id=id) == {"exit_code": 1}
        assert summary(s, id)["restart_count"] == 1
        remove(s, id)


def who_is_attached_hears_the_end_of_that_run_only():
    with session() as s:
        channel = s.open("container.run", attach=True, spec=spec(
            "sh", "-c", "echo out; exit 5", restart="always"))
        assert channel.wait()["exit_code"] == 5
        assert bytes(channel.out[1]) == b"out\n"
        id = channel.events[0]["id"]
        life.IDS.add(id)
        until(s, id, lambda i: i["restart_count"] >= 1)
        remove(s, id)


def stop_ends_it_for_good_running_or_waiting():
    with session() as s:
        for script in ("trap 'exit 0' TERM; echo ready; sleep 100 & wait", "exit 1"):
            for policy in ("always", "unless-stopped", "on-failure"):
                id = detached(s, "sh", "-c", script, restart=policy)
                if script == "exit 1":
                    until(s, id, lambda i: i["status"] == "restarting" and
                          i["restart_count"] >= 3)
                else:
                    life.wait_log(s, id, b"ready\n")
                begun = time.time()
                s.call("container.stop", id=id)
                assert time.time() - begun < 9
                assert summary(s, id)["status"] == "exited"
                assert state(id)["stopped"] is True
                s.call("container.stop", id=id)
                time.sleep(0.3)
                assert summary(s, id)["status"] == "exited"
                remove(s, id)


def kill_ends_it_for_good_with_its_stop_signal_or_SIGKILL_only():
    with session() as s:
        def begin():
            return detached(s, "sh", "-c", "trap 'exit 9' USR1 TERM; echo ready; "
                            "while :; do sleep 0.1; done", restart="always")
        id = begin()
        life.wait_log(s, id, b"ready\n")
        s.call("container.kill", id=id, signal=signal.SIGUSR1)
        runs(s, id, 1)
        life.wait_log(s, id, b"ready\nready\n")
        s.call("container.kill", id=id, signal=signal.SIGTERM)
        assert s.call("container.wait", id=id) == {"exit_code": 9}
        assert summary(s, id)["restart_count"] == 1
        remove(s, id)
        id = begin()
        s.call("container.kill", id=id, signal=signal.SIGKILL)
        item = summary(s, id)
        assert item["status"] == "exited" and item["exit_code"] == 137, item
        remove(s, id)
        id = detached(s, "false", restart="always")
        refused_while_it_waits(s, id, "is not running (it is restarting)",
                               lambda: s.call("container.kill", id=id, signal=signal.SIGUSR1))
        s.call("container.kill", id=id, signal=signal.SIGKILL)
        assert summary(s, id)["status"] == "exited"
        remove(s, id)


def remove_refuses_one_that_waits_and_force_takes_it():
    with session() as s:
        id = detached(s, "false", restart="always")
        refused_while_it_waits(s, id, "is restarting; stop it first",
                               lambda: s.call("container.remove", id=id))
        s.call("container.start", id=id)  # as Docker: it is about to
        assert s.items("container.list", all=False)[0]["id"] == id
        remove(s, id)
        assert summary(s, id) is None


def a_start_that_fails_in_a_restart_is_tried_again():
    with session() as s:
        id = detached(s, "sh", "-c", "rm -f /bin/sh; exit 1", restart="always")
        item = until(s, id, lambda i: i["status"] == "restarting" and i.get("error") and
                     i["restart_count"] >= 2)
        assert "run failed" in item["error"] and item["exit_code"] in (127, 128), item
        assert not [p for p in life.processes() if b"monitor" not in p[1][1:2]]
        s.call("container.stop", id=id)
        assert summary(s, id)["status"] == "exited" and summary(s, id)["error"] == item["error"]
        remove(s, id)
        id = detached(s, "sh", "-c", "rm -f /bin/sh; exit 1", restart="on-failure", restart_max=2)
        assert s.call("container.wait", id=id)["exit_code"] in (127, 128)
        assert summary(s, id)["restart_count"] == 2
        remove(s, id)


def the_state_file_says_what_the_policy_is_at_each_end():
    with session() as s:
        id = detached(s, "sh", "-c", "until [ -e /go ]; do sleep 0.05; done", restart="always")
        changed = state(id)
        changed["restart"] = "no"
        with open(state_path(id) + ".new", "w") as file:
            json.dump(changed, file)
        os.rename(state_path(id) + ".new", state_path(id))
        s.open("container.exec", id=id, args=["touch", "/go"]).wait()
        assert s.call("container.wait", id=id) == {"exit_code": 0}
        assert summary(s, id)["restart_count"] == 0
        remove(s, id)


def follow_goes_on_over_restarts():
    with session() as s, session() as other:
        id = detached(s, "sh", "-c", "sleep 0.1; echo run; exit 1", restart="on-failure",
                      restart_max=3)
        logs = other.open("container.logs", id=id, follow=True)
        logs.wait(30)
        assert bytes(logs.out[1]) == b"run\n" * 4, bytes(logs.out[1])
        remove(s, id)


# --- lost monitors ---------------------------------------------------------------------------

def a_lost_monitor_means_another_one_if_the_policy_wants():
    wanted = {"no": False, "on-failure": True, "always": True, "unless-stopped": True}
    with session() as s:
        for policy, again in wanted.items():
            id = detached(s, "sleep", "100", restart=policy)
            pid = summary(s, id)["pid"]
            kill_monitor(id)
            with session() as next_one:
                item = next_one.items("container.list", all=True)[0]
                if not again:
                    assert item["status"] == "exited" and item["exit_code"] is None, item
                else:
                    assert item["status"] in ("restarting", "running"), item
                    item = runs(next_one, id, 1)
                    assert item["pid"] != pid and "error" not in item, item
                    assert not life.alive(pid)
                remove(next_one, id)


def a_long_session_notices_as_well():
    with session() as s:
        id = detached(s, "sleep", "100", restart="always")
        for count in (1, 2):
            kill_monitor(id)
            runs(s, id, count)
        remove(s, id)
        id = detached(s, "sleep", "100")
        kill_monitor(id)
        assert summary(s, id)["status"] == "exited"
        remove(s, id)


def a_monitor_lost_while_it_waits_is_taken_up_without_counting_twice():
    with session() as s:
        id = detached(s, "sh", "-c", "exit 6", restart="on-failure", restart_max=5)
        until(s, id, lambda i: i["status"] == "restarting" and i["restart_count"] >= 3)
        kill_monitor(id)
        assert s.call("container.wait", id=id) == {"exit_code": 6}
        assert summary(s, id)["restart_count"] == 5
        remove(s, id)
        id = detached(s, "false", restart="always")
        until(s, id, lambda i: i["status"] == "restarting" and i["restart_count"] >= 4)
        kill_monitor(id)
        s.call("container.stop", id=id)
        assert summary(s, id)["status"] == "exited"
        remove(s, id)


def a_lost_monitor_of_one_that_was_being_stopped_is_the_end():
    with session() as s, session() as other:
        id = detached(s, "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done",
                      restart="always")
        life.wait_log(s, id, b"ready\n")
        stop = other.open("container.stop", id=id, timeout_s=60)
        until(s, id, lambda i: i["status"] == "stopping")
        until(s, id, lambda i: os.path.exists(life.RUN + "/%s/stopped" % id))
        kill_monitor(id)
        stop.wait()
        assert summary(s, id)["status"] == "exited"
        assert state(id)["stopped"] is True
        remove(s, id)


def racing_commands_start_it_once():
    with session() as s:
        id = detached(s, "sleep", "100", restart="always")
        name = summary(s, id)["name"]
        for count in range(1, 6):
            kill_monitor(id)
            threads = [threading.Thread(target=lambda: session().close()) for _ in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            runs(s, id, count)
            time.sleep(0.2)
            assert summary(s, id)["restart_count"] == count
            monitors = [p for p in life.processes() if p[1][1:2] == [b"monitor"] and
                        p[1][2].decode() == name]
            assert len(monitors) == 1, monitors
        remove(s, id)


def wait_goes_on_over_a_lost_monitor():
    with session() as s, session() as other:
        id = detached(s, "sh", "-c", "[ -e /second ] || { touch /second; echo ready; sleep 1000; }",
                      restart="on-failure", restart_max=5)
        waiting = other.open("container.wait", id=id)
        life.wait_log(s, id, b"ready\n")
        other.call("container.list")  # behind the other request, which is under way
        kill_monitor(id)
        assert waiting.wait() == {"exit_code": 0}
        assert summary(s, id)["restart_count"] == 1
        remove(s, id)


# --- reboot ----------------------------------------------------------------------------------

def reboot():
    """No process lives on, <run_root> is empty, the boot id is another one."""
    for item in os.listdir(life.ROOT + "/containers"):
        if len(item) == 64 and os.path.exists(state_path(item)):
            changed = state(item)
            if changed.get("monitor_pid") and os.path.exists(life.RUN + "/" + item):
                kill_monitor(item)
    for item in os.listdir(life.ROOT + "/containers"):
        if len(item) == 64 and os.path.exists(state_path(item)):
            changed = state(item)
            if changed.get("pid"):
                try:
                    os.kill(changed["pid"], signal.SIGKILL)
                except ProcessLookupError:
                    pass
                life.dead(changed["pid"])
            if "boot_id" in changed:
                changed["boot_id"] = "an-earlier-boot"
                with open(state_path(item), "w") as file:
                    json.dump(changed, file)
    shutil.rmtree(life.RUN)


def after_a_reboot_runs_again_what_its_policy_wants():
    stopped = {"no": False, "on-failure": False, "always": True, "unless-stopped": False}
    up = {"no": False, "on-failure": True, "always": True, "unless-stopped": True}
    with session() as s:
        ids = {}
        for policy in up:
            ids["up", policy] = detached(s, "sleep", "100", restart=policy)
            ids["stopped", policy] = detached(s, "sleep", "100", restart=policy)
            s.call("container.stop", id=ids["stopped", policy], timeout_s=0)
            created = s.call("container.create", spec=spec("sleep", "100", restart=policy))
            ids["created", policy] = created["id"]
            life.IDS.add(created["id"])
    reboot()
    with session() as s:
        begun = time.time()
        assert len(s.items("container.list", all=True)) == 12
        assert time.time() - begun < 30
        for (kind, policy), id in ids.items():
            again = {"up": up, "stopped": stopped, "created": {}}[kind].get(policy, False)
            if again:
                assert runs(s, id, 0)["restart_count"] == 0, (kind, policy)
                assert "stopped" not in state(id)
            else:
                item = summary(s, id)
                assert item["status"] == ("created" if kind == "created" else "exited"), \
                    (kind, policy, item)
                if kind == "up":
                    assert item["exit_code"] is None
        # once only: stopped now, it stays so until the next boot
        s.call("container.stop", id=ids["up", "always"], timeout_s=0)
    with session() as s:
        assert summary(s, ids["up", "always"])["status"] == "exited"
        for id in ids.values():
            remove(s, id)


def one_that_cannot_start_after_a_reboot_breaks_no_command():
    with session() as s:
        bad = detached(s, "sleep", "100", restart="always")
        good = detached(s, "sleep", "100", restart="always")
    reboot()
    os.rename(life.ROOT + "/bundles/" + bundle(bad), life.ROOT + "/bundles/away")
    with session() as s:
        runs(s, good, 0)
        item = until(s, bad, lambda i: i.get("error", "").find("lost") < 0)
        assert item["status"] == "restarting", item
        os.rename(life.ROOT + "/bundles/away", life.ROOT + "/bundles/" + bundle(bad))
        runs(s, bad, 0)
        for id in (good, bad):
            remove(s, id)


def bundle(id):
    with open(life.ROOT + "/containers/%s/spec.json" % id) as file:
        return os.path.basename(json.load(file)["bundle"])


TESTS = [
    always_comes_back_with_its_files_and_goes_on_in_its_log,
    on_failure_gives_up_after_its_number_and_wait_hears_the_last_end,
    a_start_by_a_person_begins_to_count_again,
    who_is_attached_hears_the_end_of_that_run_only,
    stop_ends_it_for_good_running_or_waiting,
    kill_ends_it_for_good_with_its_stop_signal_or_SIGKILL_only,
    remove_refuses_one_that_waits_and_force_takes_it,
    a_start_that_fails_in_a_restart_is_tried_again,
    the_state_file_says_what_the_policy_is_at_each_end,
    follow_goes_on_over_restarts,
    a_lost_monitor_means_another_one_if_the_policy_wants,
    a_long_session_notices_as_well,
    a_monitor_lost_while_it_waits_is_taken_up_without_counting_twice,
    a_lost_monitor_of_one_that_was_being_stopped_is_the_end,
    racing_commands_start_it_once,
    wait_goes_on_over_a_lost_monitor,
    after_a_reboot_runs_again_what_its_policy_wants,
    one_that_cannot_start_after_a_reboot_breaks_no_command,
]

if __name__ == "__main__":
    sys.exit(life.main(TESTS))
