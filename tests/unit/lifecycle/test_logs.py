# SPDX-License-Identifier: Apache-2.0
"""Logs of containers (C24), with a real runtime. Needs root.

    test_logs.py <dray-guest> <runtime> [test…]
"""
import glob
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import test_lifecycle as life  # noqa: E402
from test_lifecycle import detached, refused, session, spec  # noqa: E402
from test_restart import remove, until  # noqa: E402


def ended(s, id):
    return until(s, id, lambda i: i["status"] == "exited")


def logs(s, id, **more):
    channel = s.open("container.logs", id=id, **more)
    return channel.wait(30), bytes(channel.out[1]), bytes(channel.out[2])


def files(s, id):
    return sorted(glob.glob(s.call("container.inspect", id=id)["LogPath"] + "*"))


def size_and_number_of_files_are_as_asked_and_all_of_them_go():
    with session() as s:
        id = detached(s, "seq", "1", "5000", log_max_size_bytes=20000, log_max_files=3)
        ended(s, id)
        found = files(s, id)
        assert len(found) == 3, found
        for path in found:
            assert os.path.getsize(path) < 20000 + 100, (path, os.path.getsize(path))
        assert logs(s, id)[1].endswith(b"4999\n5000\n")
        assert logs(s, id, tail=2)[1] == b"4999\n5000\n"
        config = s.call("container.inspect", id=id)["HostConfig"]["LogConfig"]
        assert config == {"Type": "k8s-file",
                          "Config": {"max-size": "20000", "max-file": "3"}}, config
        remove(s, id)
        assert not [p for p in found if os.path.exists(p)]


def the_driver_none_keeps_nothing_and_says_so_but_who_is_attached_sees_it():
    with session() as s:
        channel = s.open("container.run", attach=True, spec=spec(
            "sh", "-c", "echo out; echo err >&2", log_driver="none"))
        assert channel.wait()["exit_code"] == 0
        assert bytes(channel.out[1]) == b"out\n" and bytes(channel.out[2]) == b"err\n"
        id = channel.events[0]["id"]
        life.IDS.add(id)
        refused("unsupported", "keeps no log (its log driver is none)", lambda: logs(s, id))
        assert not os.listdir(life.ROOT + "/logs")
        shown = s.call("container.inspect", id=id)
        assert shown["HostConfig"]["LogConfig"]["Type"] == "none" and not shown.get("LogPath")
        remove(s, id)


def a_missing_log_is_empty_and_the_answer_names_the_service():
    with session() as s:
        id = detached(s, "echo", "hi", service="web", replica=2, deployment="shop")
        ended(s, id)
        assert logs(s, id) == ({"service": "web", "deployment": "shop"}, b"hi\n", b"")
        for path in files(s, id):
            os.unlink(path)
        assert logs(s, id) == ({"service": "web", "deployment": "shop"}, b"", b"")
        remove(s, id)


def any_byte_and_any_length_comes_back():
    script = ("printf 'a\\377\\200\\000b\\n'; dd if=/dev/zero bs=1M count=5 2>/dev/null | "
              "tr '\\000' x; echo; printf end")
    with session() as s:
        id = detached(s, "sh", "-c", script)
        ended(s, id)
        assert logs(s, id)[1] == b"a\xff\x80\x00b\n" + b"x" * (5 << 20) + b"\nend"
        assert logs(s, id, tail=2)[1] == b"x" * (5 << 20) + b"\nend"
        assert logs(s, id, tail=1)[1] == b"end"
        remove(s, id)


def follow_loses_nothing_over_many_rotations():
    script = "i=0; while [ $i -lt 400 ]; do seq 1 200; i=$((i+1)); done; echo last"
    with session() as s, session() as other:
        id = detached(s, "sh", "-c", script, log_max_size_bytes=1000000, log_max_files=50)
        _, out, _ = logs(other, id, follow=True)
        expected = b"".join(b"%d\n" % i for i in range(1, 201)) * 400 + b"last\n"
        assert len(out) == len(expected) and out == expected, (len(out), len(expected))
        assert len(files(s, id)) > 2
        remove(s, id)


def order_and_times_are_kept():
    with session() as s:
        before = time.time_ns()
        id = detached(s, "sh", "-c", "for i in 1 2 3; do echo o$i; sleep 0.1; echo e$i >&2; "
                                     "sleep 0.1; done")
        ended(s, id)
        result = logs(s, id, timestamps=True)
        lines = sorted(result[1].splitlines() + result[2].splitlines())
        assert [line.split(b" ")[1] for line in lines] == \
            [b"o1", b"e1", b"o2", b"e2", b"o3", b"e3"], lines
        middle = before + 1
        assert logs(s, id, until_ns=middle)[1:] == (b"", b"")
        assert logs(s, id, since_ns=middle)[1] == b"o1\no2\no3\n"
        remove(s, id)


TESTS = [
    size_and_number_of_files_are_as_asked_and_all_of_them_go,
    the_driver_none_keeps_nothing_and_says_so_but_who_is_attached_sees_it,
    a_missing_log_is_empty_and_the_answer_names_the_service,
    any_byte_and_any_length_comes_back,
    follow_loses_nothing_over_many_rotations,
    order_and_times_are_kept,
]

if __name__ == "__main__":
    sys.exit(life.main(TESTS))
