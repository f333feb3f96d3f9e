# SPDX-License-Identifier: Apache-2.0
"""Files of containers: stat, copying, export, diff, commit, against the real helper and a real
runtime. Needs root.

    test_files.py <dray-guest> <runtime> [test…]
"""
import base64
import io
import os
import stat
import sys
import tarfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import test_lifecycle as life  # noqa: E402
from session import GuestError, directory, entry  # noqa: E402
from test_lifecycle import detached, refused, session, spec  # noqa: E402


def created(s, *args, **members):
    made = s.call("container.create", spec=spec(*args, **members))
    life.IDS.add(made["id"])
    return made["id"]


def gone(s, *ids, **members):
    for one in ids:
        s.call("container.remove", id=one, force=True, volumes=True, **members)


def out(s, container, path, **members):
    """The tar that copy_out gives, opened."""
    c = s.open("container.copy_out", id=container, path=path, **members)
    c.wait()
    assert c.eof == {1}, c.eof
    return tarfile.open(fileobj=io.BytesIO(bytes(c.out[1])), errorlevel=2)


def content(s, container, path):
    with out(s, container, path) as tar:
        return tar.extractfile(tar.next()).read()


def make_tar(*entries):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data) if data is not None else None)
    return raw.getvalue()


def put(s, container, path, data, **members):
    c = s.open("container.copy_in", id=container, path=path, **members)
    c.data(data)
    c.end()
    return c.wait()


def both_states(s, *args, **members):
    """The same container twice: one that runs, one that was never started."""
    return [("running", detached(s, *(args or ("sleep", "1000")), **members)),
            ("created", created(s, *(args or ("sleep", "1000")), **members))]


# --- stat_path -------------------------------------------------------------------------------

def stat_path_says_what_a_path_is_running_or_not():
    with session() as s:
        for state, c in both_states(s):
            st = s.call("container.stat_path", id=c, path="/data/file")
            assert st["name"] == "file" and st["size"] == 15, (state, st)
            assert st["mode"] == stat.S_IFREG | 0o640 and st["mtime_ns"] == 10 ** 18
            st = s.call("container.stat_path", id=c, path="data/")
            assert stat.S_ISDIR(st["mode"]) and st["name"] == "data", st
            st = s.call("container.stat_path", id=c, path="/bin/sh")
            assert stat.S_ISLNK(st["mode"]) and st["link_target"] == "busybox", st
            st = s.call("container.stat_path", id=c, path="/bin/sh", follow=True)
            assert stat.S_ISREG(st["mode"]) and st["name"] == "sh" and "link_target" not in st
            assert s.call("container.stat_path", id=c, path="/")["mode"] & stat.S_IFDIR
            refused("not found", "no such file or directory: /nope/x", lambda: s.call(
                "container.stat_path", id=c, path="/nope/x"))
            refused("not found", "no such file", lambda: s.call(
                "container.stat_path", id=c, path="/data/file/"))
            gone(s, c)
        refused("not found", "no such container", lambda: s.call(
            "container.stat_path", id="nope", path="/"))


def paths_and_links_are_any_bytes():
    with session() as s:
        c = detached(s, "sh", "-c", "ln -s $(printf 'x\\377') $(printf '/l\\376'); "
                     "touch /ready; sleep 1000")
        wait_path(s, c, "/ready")
        coded = base64.b64encode(b"/l\xfe").decode()
        st = s.call("container.stat_path", id=c, path_b64=coded)
        assert st["name_b64"] == base64.b64encode(b"l\xfe").decode(), st
        assert st["link_target_b64"] == base64.b64encode(b"x\xff").decode(), st
        for op in ("stat_path", "copy_out", "copy_in"):  # never the root instead
            refused("invalid spec", "no path", lambda: s.call("container." + op, id=c))
        gone(s, c)


def a_symlink_never_leads_out_of_the_container_H3():
    secret = life.BASE + "/secret"
    with open(secret, "w") as file:
        file.write("of the host")
    with session() as s:
        script = ("ln -s %s /abs; ln -s ../../../../../../../..%s /up; ln -s %s /d; "
                  "ln -s /proc/self/root /magic; ln -s loop /loop; touch /ready; sleep 1000" %
                  (secret, secret, life.BASE))
        c = detached(s, "sh", "-c", script)
        wait_path(s, c, "/ready")
        for round in ("running", "stopped"):
            for path in ("/abs", "/up", "/d/secret", "/magic" + secret):
                refused("not found", "no such file", lambda: s.call(
                    "container.copy_out", id=c, path=path, follow=True))
            refused("invalid spec", "too many symbolic links", lambda: s.call(
                "container.stat_path", id=c, path="/loop", follow=True))
            refused("not found", "no such file", lambda: put(s, c, "/d", b""))
            with out(s, c, "/abs") as tar:
                assert tar.next().issym()
            s.call("container.kill", id=c, signal=9) if round == "running" else None
            s.call("container.wait", id=c)
        gone(s, c)
    assert open(secret).read() == "of the host"


# --- copying out -----------------------------------------------------------------------------

def copy_out_gives_a_tar_that_begins_with_the_last_component():
    with session() as s:
        for state, c in both_states(s):
            with out(s, c, "/data") as tar:
                assert tar.getnames() == ["data", "data/file"], (state, tar.getnames())
                assert tar.extractfile("data/file").read() == b"from the image\n"
                info = tar.getmember("data/file")
                assert (info.uid, info.gid, info.mode) == (1000, 1000, 0o640)
            with out(s, c, "/data/.") as tar:
                assert sorted(tar.getnames()) == [".", "./file"], tar.getnames()
            with out(s, c, "/bin/sh") as tar:
                assert tar.next().linkname == "busybox"
            with out(s, c, "/bin/sh", follow=True) as tar:
                info = tar.next()
                assert info.name == "sh" and info.isreg() and info.size > 100000
            gone(s, c)


def copy_out_streams_300_MB_with_little_memory():
    with session() as s:
        c = detached(s, "sh", "-c", "dd if=/dev/zero of=/big bs=1000000 count=300; "
                     "touch /ready; sleep 1000")
        for _ in range(300):
            try:
                s.call("container.stat_path", id=c, path="/ready")
                break
            except GuestError:
                time.sleep(0.1)
        channel = s.open("container.copy_out", id=c, path="/big")
        channel.discard = True
        channel.wait()
        assert 300000000 < channel.counts[1] < 300100000, channel.counts
        with open("/proc/%d/status" % s.process.pid) as file:
            peak = [int(line.split()[1]) for line in file if line.startswith("VmHWM")][0]
        assert peak < 32 << 10, peak
        gone(s, c)


def a_reader_that_stops_holds_the_copy_back_and_a_cancel_ends_it():
    with session() as s:
        c = detached(s, "sh", "-c", "dd if=/dev/zero of=/big bs=1000000 count=20; "
                     "touch /ready; sleep 1000")
        wait_path(s, c, "/ready")
        channel = s.open("container.copy_out", id=c, path="/big")
        channel.grant = False
        got = s.call("container.stat_path", id=c, path="/big")  # others go on meanwhile
        assert got["size"] == 20000000
        channel.cancel()
        refused("cancelled", "", channel.wait)
        gone(s, c)


def wait_path(s, c, path):
    for _ in range(300):
        try:
            return s.call("container.stat_path", id=c, path=path)
        except GuestError:
            time.sleep(0.05)
    raise AssertionError("%s never came" % path)


def fifos_and_sockets_are_never_opened():
    with session() as s:
        c = detached(s, "sh", "-c", "mkdir /special; mkfifo /special/fifo; touch /special/z; "
                     "ln /special/z /special/y; touch /ready; sleep 1000")
        wait_path(s, c, "/ready")
        for _ in range(2):
            with out(s, c, "/special") as tar:
                names = {m.name: m for m in tar.getmembers()}
                assert names["special/fifo"].isfifo()
                assert names["special/z"].islnk() and names["special/z"].linkname == "special/y"
            s.call("container.kill", id=c, signal=9)
            s.call("container.wait", id=c)
            break
        gone(s, c)


def what_is_mounted_is_copied_too_running_or_not():
    host = life.BASE + "/bound"
    os.makedirs(host, exist_ok=True)
    with open(host + "/x", "w") as file:
        file.write("bound")
    with session() as s:
        mounts = [{"type": "bind", "source": host, "target": "/bound"},
                  {"type": "volume", "source": "filesvol", "target": "/data"}]
        for state, c in both_states(s, mounts=mounts):
            assert content(s, c, "/bound/x") == b"bound", state
            assert b"localhost" in content(s, c, "/etc/hosts"), state
            put(s, c, "/bound", make_tar(entry("new-" + state, b"n")))
            assert open(host + "/new-" + state).read() == "n"
            put(s, c, "/data", make_tar(entry("v-" + state, b"v")))
            assert os.path.exists("%s/volumes/filesvol/_data/v-%s" % (life.ROOT, state))
            gone(s, c)
    life.shutil.rmtree(life.ROOT + "/volumes/filesvol")


# --- copying in ------------------------------------------------------------------------------

def copy_in_unpacks_with_roots_owner_or_the_archives():
    tar = make_tar(directory("in", 0o750, uid=5, gid=6),
                   entry("in/file", b"content", 0o4755, uid=7, gid=8),
                   entry("in/link", None, 0o777, tarfile.SYMTYPE, "file"),
                   entry("in/hard", None, 0o644, tarfile.LNKTYPE, "in/file"))
    with session() as s:
        for state, c in both_states(s):
            assert put(s, c, "/data", tar) == {"entries": 4}, state
            with out(s, c, "/data/in") as got:
                names = {m.name: m for m in got.getmembers()}
                assert names["in"].mode == 0o750 and names["in"].mtime == 1000000000
                first, second = names["in/file"], names["in/hard"]
                assert first.mode == 0o4755 and (first.uid, first.gid) == (0, 0)
                assert {first.type, second.type} == {tarfile.REGTYPE, tarfile.LNKTYPE}
                assert names["in/link"].linkname == "file"
            put(s, c, "/data", tar, owners=True)
            with out(s, c, "/data/in") as got:
                names = {m.name: m for m in got.getmembers()}
                assert (names["in"].uid, names["in"].gid) == (5, 6)
                assert (names["in/file"].uid, names["in/file"].gid) == (7, 8)
                assert names["in/file"].mode == 0o4755
            if state == "created":  # it sees it once it runs
                s.call("container.start", id=c)
            assert s.call("container.stat_path", id=c, path="/data/in/file")["size"] == 7
            gone(s, c)


def copy_in_cannot_write_outside():
    with session() as s:
        c = detached(s, "sh", "-c", "ln -s / /data/root; ln -s %s /data/host; touch /ready; "
                     "sleep 1000" % life.BASE)
        wait_path(s, c, "/ready")
        refused("format", "leads out", lambda: put(
            s, c, "/data", make_tar(entry("../../evil", b"x"))))
        put(s, c, "/data", make_tar(entry("/abs", b"x")))
        assert content(s, c, "/data/abs") == b"x"
        # links in the container mean the container's root
        put(s, c, "/data", make_tar(entry("root/through", b"y")))
        assert content(s, c, "/through") == b"y"
        refused("conflict", "leads nowhere", lambda: put(
            s, c, "/data", make_tar(entry("host/evil", b"z"))))
        put(s, c, "/", make_tar(entry(life.BASE[1:] + "/made", b"x")))
        put(s, c, "/data", make_tar(entry("host/evil", b"z")))
        assert content(s, c, life.BASE + "/evil") == b"z"
        assert not os.path.exists(life.BASE + "/evil")
        gone(s, c)


def a_tar_that_breaks_off_leaves_what_was_written_whole_and_says_so():
    tar = make_tar(entry("one", b"1"), entry("two", b"2" * 5000))
    with session() as s:
        for state, c in both_states(s):
            error = refused("format", "1 entries were copied, then",
                            lambda: put(s, c, "/data", tar[:3000]))
            assert "ends in the middle" in error.text
            assert content(s, c, "/data/one") == b"1", state
            with out(s, c, "/data") as got:
                assert sorted(got.getnames()) == ["data", "data/file", "data/one"], got.getnames()
            gone(s, c)


def a_directory_and_a_file_never_replace_each_other():
    with session() as s:
        for state, c in both_states(s):
            refused("conflict", "a directory cannot replace what is there", lambda: put(
                s, c, "/data", make_tar(directory("file"))))
            refused("conflict", "it is a directory", lambda: put(
                s, c, "/", make_tar(entry("data", b"x"))))
            refused("invalid spec", "is not a directory", lambda: put(
                s, c, "/data/file", make_tar(entry("x", b"x"))))
            assert content(s, c, "/data/file") == b"from the image\n"
            gone(s, c)


def read_only_roots_and_mounts_refuse_what_is_copied_in():
    host = life.BASE + "/readonly"
    os.makedirs(host, exist_ok=True)
    tar = make_tar(entry("x", b"x"))
    with session() as s:
        mounts = [{"type": "bind", "source": host, "target": "/ro", "read_only": True},
                  {"type": "bind", "source": host, "target": "/rw"}]
        for state, c in both_states(s, read_only=True, mounts=mounts):
            refused("conflict", "the container's root is read-only", lambda: put(
                s, c, "/data", tar))
            refused("conflict", "/ro is on a read-only mount", lambda: put(s, c, "/ro", tar))
            put(s, c, "/rw", tar)
            assert os.path.exists(host + "/x")
            os.unlink(host + "/x")
            gone(s, c)


def links_that_are_swapped_while_we_look_lead_nowhere_H3():
    """CVE-2018-15664: a directory of the container becomes a link to the host's and back."""
    trap = life.BASE + "/trap"
    os.makedirs(trap, exist_ok=True)
    with open(trap + "/f", "w") as file:
        file.write("of the host")
    with session() as s:
        script = ("mkdir /a /a/real; echo inside >/a/real/f; ln -s %s /a/link; touch /ready; "
                  "while :; do mv /a/real /a/x; mv /a/link /a/real; mv /a/real /a/link; "
                  "mv /a/x /a/real; done" % trap)
        c = detached(s, "sh", "-c", script)
        wait_path(s, c, "/ready")
        seen = set()
        for i in range(150):
            try:
                seen.add(content(s, c, "/a/real/f"))
            except (GuestError, AttributeError, tarfile.ReadError, KeyError):
                pass
            try:
                put(s, c, "/a/real", make_tar(entry("w%d" % i, b"w")))
            except GuestError:
                pass
            try:
                with out(s, c, "/a") as tar:
                    for member in tar.getmembers():
                        assert not member.isreg() or tar.extractfile(member).read() != \
                            b"of the host"
            except GuestError:
                pass
        assert seen <= {b"inside\n"} and seen, seen
        assert os.listdir(trap) == ["f"], os.listdir(trap)
        gone(s, c)


def a_copy_that_is_cut_off_leaves_nothing_mounted_and_nobody_locked_H5():
    tar = make_tar(entry("big", b"x" * 400000), entry("last", b"y"))
    with session() as s:
        states = both_states(s)
    for state, c in states:
        for cut in (600, 100000, len(tar) - 11000):
            s = session()
            channel = s.open("container.copy_in", id=c, path="/data")
            channel.data(tar[:cut])
            time.sleep(0.1)
            s.process.kill()
            s.process.wait()
            with session() as s:
                with out(s, c, "/data") as got:
                    assert set(got.getnames()) <= {"data", "data/file", "data/big"}, state
                put(s, c, "/tmp", make_tar(entry("again", b"a")))
        with session() as s:
            s.call("container.start", id=c)
            assert s.call("container.state", id=c)["status"] == "running"
            gone(s, c)


def a_start_waits_for_a_copy_of_the_last_run():
    with session() as s:
        c = detached(s, "sh", "-c", "test -f /big || head -c 3000000 /dev/zero >/big; "
                     "touch /ready; sleep 1000")
        wait_path(s, c, "/ready")
        slow = s.open("container.copy_out", id=c, path="/big")
        slow.grant = False
        s.pump(lambda: slow.counts[1] > 0, 60)  # it is under way
        s.call("container.kill", id=c, signal=9)
        s.call("container.wait", id=c)
        with session() as other:
            starting = other.open("container.start", id=c)
            time.sleep(0.5)
            assert s.call("container.state", id=c)["status"] != "running"
            slow.cancel()
            refused("cancelled", "", slow.wait)
            starting.wait()
        wait_path(s, c, "/ready")
        gone(s, c)


# --- export ----------------------------------------------------------------------------------

def export_is_the_whole_root_without_mounts():
    with session() as s:
        mounts = [{"type": "bind", "source": life.BASE, "target": "/bound"}]
        c = detached(s, "sh", "-c", "echo hi >/made; rm /data/file; touch /ready; sleep 1000",
                     mounts=mounts)
        wait_path(s, c, "/ready")
        archives = []
        for state in ("running", "stopped"):
            channel = s.open("container.export", id=c)
            channel.wait()
            archives.append(bytes(channel.out[1]))
            with tarfile.open(fileobj=io.BytesIO(archives[-1]), errorlevel=2) as tar:
                names = tar.getnames()
                assert "bin/busybox" in names and "made" in names and "bound" in names
                assert "data" in names and "data/file" not in names and "" not in names
                assert not [n for n in names if n.startswith(("bound/", "proc/", "dev/", "sys/"))]
                assert tar.extractfile("made").read() == b"hi\n"
            if state == "running":
                s.call("container.kill", id=c, signal=9)
                s.call("container.wait", id=c)
        gone(s, c)
        assert archives[0] == archives[1]


# --- diff ------------------------------------------------------------------------------------

def changes(s, c):
    channel = s.open("container.diff", id=c)
    channel.wait()
    assert channel.eof == {1}
    raw = bytes(channel.out[1])
    assert not raw or raw.endswith(b"\0")
    return raw.decode("utf-8", "surrogateescape").split("\0")[:-1]


def diff_of_a_container_that_did_nothing_is_empty():
    with session() as s:
        c = created(s, "true")
        assert changes(s, c) == []
        s.open("container.start", id=c, attach=True).wait()
        assert changes(s, c) == [], changes(s, c)
        gone(s, c)


def diff_tells_added_changed_and_deleted_as_docker_does():
    with session() as s:
        c = detached(s, "sh", "-c", "echo x >/etc/passwd; mkdir -p /new/dir; echo >/new/dir/f; "
                     "rm /data/file /bin/notexec; touch /tmp/$(printf 'a\\377'); "
                     "echo x >>/etc/group; : >>/bin/badformat; mkfifo /fifo; "
                     "touch /ready; sleep 1000")
        wait_path(s, c, "/ready")
        want = ["C/bin", "D/bin/notexec", "C/data", "D/data/file", "C/etc", "C/etc/group",
                "C/etc/passwd", "A/fifo", "A/new", "A/new/dir", "A/new/dir/f", "A/ready", "C/tmp",
                "A/tmp/a\udcff"]
        assert sorted(changes(s, c), key=lambda x: x[1:]) == want, changes(s, c)
        s.call("container.kill", id=c, signal=9)
        s.call("container.wait", id=c)
        assert sorted(changes(s, c), key=lambda x: x[1:]) == want
        gone(s, c)


def diff_of_a_directory_made_again_names_what_is_gone():
    with session() as s:
        image = "docker.io/library/deep:1"
        s.put_image(image, [life.busybox_layer() + [
            directory("d"), directory("d/sub"), entry("d/sub/x", b"x"), entry("d/keep", b"k"),
            entry("d/away", b"a"), directory("e"), entry("e/f", b"f")]], {"Env": ["PATH=/bin"]})
        c = detached(s, "sh", "-c", "rm -r /d /e; mkdir /d /d/sub; echo new >/d/sub/y; "
                     "echo k2 >/d/keep; echo file >/e; touch /ready; sleep 1000", image=image)
        wait_path(s, c, "/ready")
        want = ["C/d", "D/d/away", "C/d/keep", "C/d/sub", "D/d/sub/x", "A/d/sub/y", "C/e",
                "A/ready"]
        assert sorted(changes(s, c), key=lambda x: x[1:]) == want, changes(s, c)
        gone(s, c)
        s.call("image.remove", ref=image, force=True)


# --- commit ----------------------------------------------------------------------------------

def commit(s, c, **members):
    return s.call("container.commit", id=c, **members)["id"]


def sh(s, image, script):
    spec = life.spec("sh", "-c", script, image=image, auto_remove=True)
    channel = s.open("container.run", spec=spec, attach=True)
    code = channel.wait()["exit_code"]
    life.IDS.add(channel.events[0]["id"])
    return code, bytes(channel.out[1])


def commit_makes_an_image_that_runs_with_every_change():
    with session() as s:
        image = "docker.io/library/base:1"
        s.put_image(image, [life.busybox_layer() + [
            directory("d"), entry("d/old", b"o"), entry("d/keep", b"k")]],
            {"Env": ["PATH=/bin", "A=1"], "Cmd": ["sh"], "Labels": {"l": "1"}})
        c = detached(s, "sh", "-c", "rm -r /d; mkdir /d; echo n >/d/new; rm /bin/notexec; "
                     "echo more >>/etc/group; chmod 700 /data; chmod 4711 /data/file; "
                     "ln /etc/group /hard; ln -s /nowhere /soft; touch /ready; sleep 1000",
                     image=image, env=["B=2"], labels=["m=2"], name="committed")
        wait_path(s, c, "/ready")
        new = commit(s, c, ref="docker.io/library/new:1", familiar="new:1", author="Me <me@x>",
                     message="words", changes=["CMD [\"true\"]", "ENV C=3 D=$A$B", "WORKDIR /d",
                                               "EXPOSE 80", "LABEL n='a b'"])
        got = s.call("image.get", ref="docker.io/library/new:1")
        assert got["id"] == new and got["names"] == ["new:1"], got
        config = got["config"]
        assert config["config"]["Cmd"] == ["true"] and config["config"]["WorkingDir"] == "/d"
        assert config["config"]["Env"] == ["PATH=/bin", "A=1", "B=2", "C=3", "D=12"], config
        assert config["config"]["Labels"] == {"l": "1", "m": "2", "n": "a b"}
        assert config["config"]["ExposedPorts"] == {"80/tcp": {}}
        assert config["author"] == "Me <me@x>"
        assert config["history"][-1]["comment"] == "words", config["history"]
        assert len(config["rootfs"]["diff_ids"]) == 2
        last = got["manifest"]["layers"][-1]
        assert last["digest"] == config["rootfs"]["diff_ids"][-1], last
        # it still runs, and was not left frozen
        assert s.call("container.state", id=c)["status"] == "running"
        code, out = sh(s, "docker.io/library/new:1",
                       "pwd; cat new; ls; ls /bin/notexec; tail -n1 /etc/group; stat -c %a /data "
                       "/data/file; stat -c %h /hard; readlink /soft; ls /ready; echo $D")
        assert out == (b"/d\nn\nnew\nmore\n700\n4711\n2\n/nowhere\n/ready\n12\n"), out
        # and out of it comes the next one
        d = created(s, "true", image="docker.io/library/new:1")
        assert changes(s, d) == []
        gone(s, c, d)
        for ref in ("docker.io/library/new:1", image):
            s.call("image.remove", ref=ref)


def commit_without_changes_adds_no_layer():
    with session() as s:
        c = created(s, "true")
        new = commit(s, c)
        got = s.call("image.get", ref=new)
        assert len(got["config"]["rootfs"]["diff_ids"]) == 1 and got["refs"] == []
        assert got["config"]["history"][-1]["empty_layer"] is True
        assert got["config"]["config"]["Cmd"] == ["true"]
        gone(s, c)
        s.call("image.remove", ref=new)


def commit_refuses_what_it_cannot_say_before_it_makes_anything():
    with session() as s:
        c = created(s, "true")
        before = len(s.items("image.list"))
        for change, why in (("RUN x", "CMD, ENTRYPOINT"), ("EXPOSE 99999", "is no port"),
                            ("CMD", "no argument"), ("STOPSIGNAL NOPE", "NOPE"),
                            ("ENV x", "NAME=VALUE")):
            error = refused("invalid spec", why, lambda: commit(s, c, changes=[change]))
            assert "change '%s'" % change in error.text, error.text
        assert len(s.items("image.list")) == before
        gone(s, c)


def a_commit_that_is_cut_off_leaves_no_image_and_nobody_frozen_H5():
    with session() as s:
        c = detached(s, "sh", "-c", "dd if=/dev/zero of=/big bs=1000000 count=200; touch /ready; "
                     "while :; do echo x; sleep 0.01; done")
        wait_path(s, c, "/ready")
        images = {item["id"] for item in s.items("image.list")}
    for wait in (0.02, 0.1, 0.3):
        s = session()
        s.open("container.commit", id=c)
        with session() as other:
            for _ in range(1000):
                if other.call("container.state", id=c)["status"] == "paused":
                    break
        time.sleep(wait)
        s.process.kill()
        s.process.wait()
        with session() as s:
            assert s.call("container.state", id=c)["status"] == "running", wait
            assert os.listdir(life.ROOT + "/layers/tmp") == []
            made = {item["id"] for item in s.items("image.list")} - images
            for image in made:  # it was done before we came to kill it
                assert sh(s, image, "exit 3")[0] == 3
                s.call("image.remove", ref=image)
    with session() as s:
        gone(s, c)


life.TESTS = [f for n, f in list(globals().items())
              if callable(f) and getattr(f, "__module__", "") == "__main__"
              and f.__code__.co_argcount == 0 and not f.__code__.co_flags & 4]

if __name__ == "__main__":
    sys.exit(life.main())
