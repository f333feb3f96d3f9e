# SPDX-License-Identifier: Apache-2.0
"""Images' names and prune, volumes, disk usage (C12), against the real helper. Needs root.

    test_storage.py <dray-guest> <runtime> [test…]
"""
import fcntl
import io
import os
import re
import subprocess
import sys
import tarfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import test_lifecycle as life  # noqa: E402
from session import ALIVE, busybox_layer, directory, entry  # noqa: E402
from test_lifecycle import refused, run, session, spec  # noqa: E402

PREFIX = "docker.io/library/"


def created(s, *args, **members):
    made = s.call("container.create", spec=spec(*args, **members))
    life.IDS.add(made["id"])
    return made["id"]


def gone(s, *ids):
    for one in ids:
        s.call("container.remove", id=one, force=True, volumes=True)


def image(s, name, *entries, **config):
    return s.put_image(PREFIX + name, [busybox_layer(), [directory("extra")] + list(entries)],
                       dict({"Env": ["PATH=/bin"]}, **config))


def make_tar(info, data):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        tar.addfile(info, io.BytesIO(data))
    return raw.getvalue()


def images(s):
    return {i["id"]: i for i in s.items("image.list")}


def layers(s):
    return s.call("system.info")["layers"]


# --- images ----------------------------------------------------------------------------------

def tag_gives_another_name_and_takes_it_from_who_had_it_C12():
    with session() as s:
        a, b = image(s, "a:1", entry("extra/a", b"a")), image(s, "b:1", entry("extra/b", b"b"))
        s.call("image.tag", ref=PREFIX + "a:1", new_ref=PREFIX + "x:2", familiar="x:2")
        assert sorted(images(s)[a]["names"]) == [PREFIX + "a:1", "x:2"], images(s)[a]
        assert s.call("image.get", ref=PREFIX + "x:2")["id"] == a
        s.call("image.tag", ref=b[7:19], new_ref=PREFIX + "x:2", familiar="x:2")
        assert s.call("image.get", ref=PREFIX + "x:2")["id"] == b
        assert images(s)[a]["refs"] == [PREFIX + "a:1"]
        s.call("image.tag", ref=b, new_ref=PREFIX + "x:2", familiar="x:2")  # again: no change
        assert sorted(images(s)[b]["refs"]) == [PREFIX + "b:1", PREFIX + "x:2"]
        refused("not found", "not on this target", lambda: s.call(
            "image.tag", ref=PREFIX + "none:1", new_ref=PREFIX + "y:1", familiar="y"))
        refused("invalid spec", "no canonical reference", lambda: s.call(
            "image.tag", ref=a, new_ref="y", familiar="y"))
        refused("invalid spec", "lower case", lambda: s.call("image.tag", ref=a, new_ref="UPPER!", familiar="y"))
        s.call("image.remove", ref=PREFIX + "a:1")
        s.call("image.remove", ref=b, force=True)


def an_image_tells_its_layers_sizes_and_its_containers():
    with session() as s:
        a = image(s, "a:1", entry("extra/big", b"x" * 100000))
        c = created(s, "true", image=PREFIX + "a:1")
        got = s.call("image.get", ref=a)
        assert got["containers"] == 1 and images(s)[a]["containers"] == 1
        assert len(got["layer_sizes"]) == 2 and 100000 < got["layer_sizes"][1] < 200000
        assert got["size"] == sum(got["layer_sizes"])
        gone(s, c)
        assert images(s)[a]["containers"] == 0
        s.call("image.remove", ref=a)


def prune_removes_what_has_no_name_and_all_what_nobody_uses_C12():
    with session() as s:
        before = layers(s)
        a, b = image(s, "a:1", entry("extra/a", b"a" * 50000)), image(s, "b:1", entry("extra/b", b"b"))
        used = image(s, "used:1", entry("extra/u", b"u"))
        c = created(s, "true", image=PREFIX + "used:1")
        got = s.call("image.prune")
        assert got == {"untagged": [], "deleted": [], "space_reclaimed": 0}, got
        s.call("image.tag", ref=b, new_ref=PREFIX + "a:1", familiar="a:1")  # a has no name now
        got = s.call("image.prune")
        assert got["deleted"][0] == a and got["untagged"] == [], got
        assert len(got["deleted"]) == 2 and got["space_reclaimed"] > 50000, got
        assert set(images(s)) >= {b, used} and a not in images(s)
        kept = dict(images(s))
        for filters in (["dangling=false", "label=none"], ["dangling=true"]):
            got = s.call("image.prune", filters=filters)
            assert got["deleted"] == [] and images(s).keys() == kept.keys()
        refused("invalid spec", "filter 'size=1': until=, label=", lambda: s.call(
            "image.prune", filters=["size=1"]))
        refused("invalid spec", "filter until=never", lambda: s.call(
            "image.prune", filters=["until=never"]))
        s.call("image.remove", ref=b, force=True)
        gone(s, c)
        s.call("image.remove", ref=used)
        assert layers(s) == before


def prune_obeys_labels_and_time():
    with session() as s:
        a = image(s, "a:1", entry("extra/a", b"1"), Labels={"keep": "yes", "who": "me"})
        b = image(s, "b:1", entry("extra/a", b"2"), Labels={"who": "you"})
        s.call("image.tag", ref=life.IMAGE, new_ref=PREFIX + "held:1", familiar="held:1")
        c = created(s, "true")  # the base image stays
        got = s.call("image.prune", all=True, filters=["label!=keep", "label=who=you"])
        assert got["deleted"][0] == b and a in images(s), got
        new = s.call("container.commit", id=c, changes=["LABEL who=new"])["id"]
        for until in ("24h", "2001-01-01", "2001-01-01T00:00:00", "1000000000"):
            s.call("image.prune", all=True, filters=["until=" + until, "label=who=new"])
            assert new in images(s), until
        got = s.call("image.prune", all=True, filters=["until=24h", "label=who"])
        assert got["deleted"][0] == a, got  # without a creation time it is as old as can be
        got = s.call("image.prune", all=True, filters=["until=0s", "label=who"])
        assert got["deleted"] == [new], got
        gone(s, c)
        s.call("image.remove", ref=PREFIX + "held:1")


# --- volumes ---------------------------------------------------------------------------------

def volumes(s):
    return {v["Name"]: v for v in s.items("volume.list")}


def volumes_are_made_listed_inspected_and_removed():
    with session() as s:
        assert volumes(s) == {}
        assert s.call("volume.create", name="data", labels=["a=1", "b"]) == {"name": "data"}
        assert s.call("volume.create", name="data", labels=["other=2"]) == {"name": "data"}
        got = s.call("volume.inspect", name="data")
        assert got["Labels"] == {"a": "1", "b": ""} and got["Driver"] == "local", got
        assert got["Mountpoint"] == life.ROOT + "/volumes/data/_data" and got["Scope"] == "local"
        assert got["CreatedAt"][:2] == "20" and got["Anonymous"] is False
        assert os.path.isdir(got["Mountpoint"])
        made = s.call("volume.create", name=None)["name"]
        assert len(made) == 64 and volumes(s)[made]["Anonymous"] is True
        assert volumes(s)[made]["Labels"] == {"com.docker.volume.anonymous": ""}
        s.call("volume.remove", name=made)
        s.call("volume.remove", name="data")
        assert volumes(s) == {}
        refused("not found", "no such volume: data", lambda: s.call("volume.remove", name="data"))
        s.call("volume.remove", name="data", force=True)
        refused("not found", "no such volume: x", lambda: s.call("volume.inspect", name="x"))
        for bad in ("../up", ".hidden", "a/b", ""):
            if bad:
                refused("invalid spec", "invalid volume name", lambda: s.call(
                    "volume.create", name=bad))
                refused("invalid spec", "invalid volume name", lambda: s.call(
                    "volume.remove", name=bad, force=True))
        refused("invalid spec", "has no key", lambda: s.call("volume.create", name="x",
                                                            labels=["=1"]))
        assert volumes(s) == {}
    assert os.listdir(life.ROOT + "/volumes") == []
    life.shutil.rmtree(life.ROOT + "/volumes")


def a_volume_that_a_container_has_stays():
    with session() as s:
        mounts = [{"type": "volume", "source": "held", "target": "/v"},
                  {"type": "volume", "target": "/anon"}]
        c = created(s, "true", mounts=mounts, name="holder")
        assert len(volumes(s)) == 2
        anonymous = [v for v in volumes(s).values() if v["Anonymous"]]
        assert len(anonymous) == 1 and anonymous[0]["Labels"], anonymous
        refused("conflict", "volume held is in use by container holder", lambda: s.call(
            "volume.remove", name="held"))
        assert s.call("volume.prune", all=True)["deleted"] == []
        s.call("container.remove", id=c)  # without its volumes
        with open(anonymous[0]["Mountpoint"] + "/x", "w") as file:
            file.write("x" * 50000)
        got = s.call("volume.prune")
        assert got["deleted"] == [anonymous[0]["Name"]] and got["space_reclaimed"] > 50000, got
        assert list(volumes(s)) == ["held"]
        assert s.call("volume.prune", all=True)["deleted"] == ["held"]
    life.shutil.rmtree(life.ROOT + "/volumes")


def an_anonymous_volume_that_another_container_has_by_name_outlives_its_owner():
    with session() as s:
        owner = created(s, "true", mounts=[{"type": "volume", "target": "/v"}], name="owner")
        name = list(volumes(s))[0]
        other = created(s, "true", name="other",
                        mounts=[{"type": "volume", "source": name, "target": "/v"}])
        s.call("container.remove", id=owner, volumes=True)
        assert list(volumes(s)) == [name]
        s.call("container.remove", id=other, volumes=True)
        s.call("volume.remove", name=name)  # to the other it was a named one
    life.shutil.rmtree(life.ROOT + "/volumes")


def what_a_crash_left_of_volumes_goes_with_the_next_session_of_any_kind():
    left = [life.ROOT + "/volumes/.gone-0123456789abcdef/_data/deep",
            life.ROOT + "/volumes/.new-0123456789abcdef/_data"]
    for path in left:
        os.makedirs(path)
    with open(life.ROOT + "/volumes.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)  # somebody is making one
        with session() as s:
            s.call("system.info")
        assert len(os.listdir(life.ROOT + "/volumes")) == 2
    with session() as s:
        s.call("system.info")
    assert os.listdir(life.ROOT + "/volumes") == []
    life.shutil.rmtree(life.ROOT + "/volumes")


def volumes_of_before_without_metadata_keep_working():
    old = life.ROOT + "/volumes/old/_data"
    os.makedirs(old)
    torn = life.ROOT + "/volumes/torn"
    os.makedirs(torn + "/_data")
    with open(torn + "/meta.json", "w") as file:
        file.write('{"vers')
    os.makedirs(life.ROOT + "/volumes/" + "a" * 64 + "/_data")
    os.makedirs(life.ROOT + "/volumes/.new-123/_data")
    with session() as s:
        got = volumes(s)
        assert set(got) == {"old", "torn", "a" * 64}, got
        assert got["a" * 64]["Anonymous"] is True and got["old"]["Anonymous"] is False
        code, out, _ = run(s, "sh", "-c", "echo x >/v/f; cat /v/f",
                           mounts=[{"type": "volume", "source": "old", "target": "/v"}])
        assert (code, out) == (0, b"x\n")
        assert sorted(s.call("volume.prune", all=True)["deleted"]) == ["a" * 64, "old", "torn"]
    assert os.listdir(life.ROOT + "/volumes") == []  # the half-made one is gone as well
    life.shutil.rmtree(life.ROOT + "/volumes")


def prune_of_volumes_obeys_labels():
    with session() as s:
        s.call("volume.create", name="a", labels=["keep"])
        s.call("volume.create", name="b", labels=["k=v"])
        assert s.call("volume.prune", all=True, filters=["label!=keep"])["deleted"] == ["b"]
        assert s.call("volume.prune", all=True, filters=["label=keep"])["deleted"] == ["a"]
    life.shutil.rmtree(life.ROOT + "/volumes")


def creating_and_pruning_at_once_never_takes_a_containers_volume_H5():
    stop = []

    def prune():
        with session() as other:
            while not stop:
                other.call("volume.prune", all=True)

    thread = threading.Thread(target=prune)
    thread.start()
    try:
        with session() as s:
            for i in range(30):
                c = created(s, "true", mounts=[{"type": "volume", "source": "v%d" % i,
                                                "target": "/v"}])
                assert os.path.isdir("%s/volumes/v%d/_data" % (life.ROOT, i)), i
                gone(s, c)
    finally:
        stop.append(True)
        thread.join()
    life.shutil.rmtree(life.ROOT + "/volumes")


def two_that_make_the_same_volume_both_succeed():
    errors = []

    def make():
        try:
            with session() as other:
                for i in range(30):
                    other.call("volume.create", name="same%d" % i, labels=["x=1"])
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=make) for _ in range(3)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not errors, errors
    with session() as s:
        assert len(volumes(s)) == 30
        for v in volumes(s).values():
            assert v["Labels"] == {"x": "1"}
        assert len(s.call("volume.prune", all=True)["deleted"]) == 30
    assert os.listdir(life.ROOT + "/volumes") == []
    life.shutil.rmtree(life.ROOT + "/volumes")


# --- disk usage ------------------------------------------------------------------------------

def disk_usage_tells_images_containers_volumes_and_layers():
    with session() as s:
        a = image(s, "a:1", entry("extra/big", b"x" * 300000))
        c = created(s, "sh", "-c", "head -c 200000 /dev/zero >/mine; "
                    "head -c 100000 /dev/zero >/v/theirs", name="user", image=PREFIX + "a:1",
                    mounts=[{"type": "volume", "source": "used", "target": "/v"}])
        s.open("container.start", id=c, attach=True).wait()
        got = s.call("system.df")
        mine = [i for i in got["images"] if i["id"] == a][0]
        base = [i for i in got["images"] if life.IMAGE in i["names"]][0]
        assert mine["containers"] == 1 and base["containers"] == 0
        # the busybox layer is in both
        assert mine["shared_size"] == base["shared_size"] == base["size"] > 500000, got["images"]
        assert 300000 < mine["size"] - mine["shared_size"] < 400000, mine
        assert got["layers_size"] == mine["size"], got
        one = [x for x in got["containers"] if x["id"] == c][0]
        assert one["name"] == "user" and one["status"] == "exited"
        assert 200000 <= one["size"] < 210000, one
        assert [(v["name"], v["containers"]) for v in got["volumes"]] == [("used", 1)]
        assert 100000 <= got["volumes"][0]["size"] < 200000, got["volumes"]
        gone(s, c)
        s.call("volume.prune", all=True)
        s.call("image.remove", ref=a)
    life.shutil.rmtree(life.ROOT + "/volumes")


def a_tree_of_any_depth_is_measured_and_removed():
    with session() as s:
        c = created(s, "true", mounts=[{"type": "volume", "source": "deep", "target": "/v"}])
        at = os.open(life.ROOT + "/volumes/deep/_data", os.O_RDONLY)
        with open(life.ROOT + "/volumes/deep/_data/z", "w") as file:
            file.write("x" * 5000)
        for _ in range(9000):
            os.mkdir("d" * 10, dir_fd=at)
            below = os.open("d" * 10, os.O_RDONLY, dir_fd=at)
            os.close(at)
            at = below
        os.close(at)
        before = time.time()
        assert s.call("system.df")["volumes"][0]["size"] == 8192
        gone(s, c)
        assert s.call("volume.prune", all=True)["deleted"] == ["deep"]
        assert time.time() - before < 60
        with open("/proc/%d/status" % s.process.pid) as file:
            peak = [int(line.split()[1]) for line in file if line.startswith("VmHWM")][0]
        assert peak < 32 << 10, peak
    life.shutil.rmtree(life.ROOT + "/volumes")


def a_helper_whose_host_is_silent_goes_and_leaves_nothing_half_made_C33():
    """Its pipes stay open all the time: nobody tells it that the line is dead."""
    with session() as s:
        c = life.detached(s, "sleep", "1000")
        q = session(hello={"alive_ms": 100, "silence_ms": 2000})
        q.open("container.attach", id=c).wait_event("started")
        put = q.open("layer.put", diff_id="sha256:" + "0" * 64,
                     media_type="application/vnd.oci.image.layer.v1.tar")
        put.data(make_tar(*entry("half", os.urandom(1 << 20)))[:400000])

        def taken():
            q.send(ALIVE)
            return put.credit[0] > 512 << 10
        q.pump(taken, 30)
        assert os.listdir(life.ROOT + "/layers/tmp") != []
        assert q.process.wait(60) == 0
        assert os.listdir(life.ROOT + "/layers/tmp") == []
        for pipe in (q.process.stdin, q.process.stdout):
            pipe.close()
        assert s.call("container.state", id=c)["status"] == "running"
        s.call("container.remove", id=c, force=True)


def on_a_full_disk_things_can_be_removed_and_nothing_is_half_made_I7():
    disk = life.BASE + "/disk"
    os.mkdir(disk)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", disk], check=True)
    try:
        with life.Session(life.HELPER, disk + "/root", disk + "/run", life.RUNTIME) as s:
            a = image(s, "a:1", entry("extra/a", b"a" * 100000))
            s.call("volume.create", name="v")
            c = s.call("container.create", spec={"image": PREFIX + "a:1", "args": ["true"]})["id"]
            with open("%s/root/containers/%s/upper/mine" % (disk, c), "wb") as file:
                file.write(b"x" * 4000000)
            with open(disk + "/filler", "wb") as file:
                try:
                    while True:
                        file.write(b"x" * 65536)
                        file.flush()
                except OSError:
                    pass
            error = refused("internal", "", lambda: s.call("container.commit", id=c))
            assert "No space left" in error.text, error.text
            refused("internal", "No space left", lambda: s.call("volume.create", name="w"))
            copying = s.open("container.copy_in", id=c, path="/data")
            copying.data(make_tar(*entry("x", b"x" * 100000)))
            copying.end()
            refused("internal", "No space left", copying.wait)
            assert [v["Name"] for v in s.items("volume.list")] == ["v"]
            assert list(images(s)) == [a]
            assert os.listdir(disk + "/root/layers/tmp") == []
            assert s.call("volume.prune", all=True)["deleted"] == ["v"]
            assert s.call("container.remove", id=c)["id"] == c
            assert a in s.call("image.prune", all=True)["deleted"]
            assert layers(s) == 0
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


# --- what waits for the disk ---

WHOLE = ["sync spec.json", "sync config.json", "sync state.json.new", "rename state.json", "sync ID",
         "sync containers"]
ANEW = ["sync state.json.new", "rename state.json", "sync ID"]
AFTERWARDS = ["rename state.json", "sync state.json", "sync ID"]


def what_waits_for_the_disk_and_in_which_order_H5_I1():
    """The table in ARCHITECTURE.md, of the helper and its monitors together."""
    log = life.BASE + "/disk.strace"
    call = re.compile(r'(f(?:data)?sync|syncfs)\(\d+<(.*?)>|rename[^(]*\(.*"([^"]+)"')
    seen = 0

    def steps(id):
        """Of what has happened since the last one; nobody is at work on it any more."""
        nonlocal seen
        while os.path.exists(life.RUN + "/" + id):
            time.sleep(0.02)
        with open(log, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
        found = []
        for line in lines[seen:]:
            made = call.search(line)
            name = os.path.basename(made[2] or made[3]) if made else ""
            if made and (made[2] or name == "state.json"):
                found.append(("sync " if made[2] else "rename ") + name.replace(id, "ID"))
        seen = len(lines)
        return found

    with session(wrap=["strace", "-f", "-y", "-o", log, "-e",
                       "trace=fsync,fdatasync,syncfs,rename,renameat,renameat2"]) as s:
        a = created(s, "true")
        assert steps(a) == WHOLE
        s.call("container.start", id=a)
        assert steps(a) == ANEW + AFTERWARDS
        s.call("container.remove", id=a)
        assert steps(a) == []
        b = life.detached(s, "true")
        assert steps(b) == WHOLE + AFTERWARDS
        s.call("container.remove", id=b)
        assert run(s, "true")[0] == 0
        assert not [step for step in steps(b) if step.startswith("sync")]
    os.unlink(log)


def a_power_cut_in_a_run_leaves_nothing_and_a_torn_record_is_no_obstacle_H5():
    volume = [{"type": "volume", "target": "/data"}]
    with session() as s:
        gone(s, created(s, "true", mounts=volume))  # directories that stay
        before = life.baseline()
        a = created(s, "true", name="cut", mounts=volume)
        volumes = s.items("volume.list")
    where = life.ROOT + "/containers/" + a
    os.unlink(where + "/state.json")  # which comes last
    os.unlink(life.RUN + "/reconciled")  # as a boot does
    with session() as s:
        assert s.items("container.list", all=True) == []
        assert not os.path.exists(where)
        assert volumes and s.items("volume.list") == []
        b = created(s, "true", name="cut")
    where = life.ROOT + "/containers/" + b
    os.unlink(where + "/state.json")
    with open(where + "/spec.json", "w", encoding="utf-8"):
        pass  # a file whose bytes the disk never saw
    os.unlink(life.RUN + "/reconciled")
    with session() as s:
        assert s.items("container.list", all=True) == []
        assert life.baseline()["tree"] == before["tree"]


life.TESTS = [f for n, f in list(globals().items())
              if callable(f) and getattr(f, "__module__", "") == "__main__"
              and f.__code__.co_argcount == 0 and not f.__code__.co_flags & 4]

if __name__ == "__main__":
    sys.exit(life.main())
