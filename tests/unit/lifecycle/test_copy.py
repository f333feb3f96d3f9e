# SPDX-License-Identifier: Apache-2.0
"""dray_copy_from and dray_copy_to (docker cp), against the real helper. Needs root.

    test_copy.py <dray-guest> <runtime> <copy-tool> [test…]
"""
import os
import stat
import subprocess
import sys
import threading

TOOL = os.path.abspath(sys.argv.pop(3))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import test_lifecycle as life  # noqa: E402
from session import directory, entry  # noqa: E402
from test_lifecycle import session, spec  # noqa: E402

PLACE = life.BASE + "/here"
IMAGE = "docker.io/library/copy:1"


def cp(way, *words, **options):
    done = subprocess.run([TOOL, life.ROOT, life.RUN, life.RUNTIME, way] + list(words),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=PLACE, **options)
    return done.returncode, done.stdout.decode(), done.stderr.decode("utf-8", "surrogateescape")


def ok(way, *words, **options):
    code, out, err = cp(way, *words, **options)
    assert code == 0, err
    return out


def fails(kind, text, way, *words):
    code, out, err = cp(way, *words)
    assert code == 1 and err.startswith(kind + ":") and text in err, (code, err)


def write(path, text, mode=0o644):
    path = os.path.join(PLACE, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)


def read(path):
    with open(os.path.join(PLACE, path)) as file:
        return file.read()


def tree(path=""):
    top = os.path.join(PLACE, path)
    found = []
    for where, dirs, files in os.walk(top):
        found += [os.path.relpath(os.path.join(where, n), top) for n in dirs + files]
    return sorted(found)


class Lab:
    """A container c of an image with some files, and an empty directory PLACE."""

    def __init__(self, *entries, image=IMAGE):
        self.entries, self.image = list(entries), image

    def __enter__(self):
        life.shutil.rmtree(PLACE, ignore_errors=True)
        os.makedirs(PLACE)
        self.s = session()
        self.s.put_image(self.image, [life.busybox_layer() + self.entries], {"Env": ["PATH=/bin"]})
        channel = self.s.open("container.run", spec=spec("sleep", "1000", image=self.image,
                                                         name="c"), attach=False)
        channel.wait()
        self.id = channel.events[0]["id"]
        life.IDS.add(self.id)
        return self

    def sh(self, script):
        c = self.s.open("container.exec", id="c", args=["sh", "-c", script])
        assert c.wait()["exit_code"] == 0, (script, bytes(c.out[2]))
        return bytes(c.out[1]).decode("utf-8", "surrogateescape")

    def __exit__(self, *_):
        self.s.call("container.remove", id=self.id, force=True, volumes=True)
        self.s.call("image.remove", ref=self.image, force=True)
        self.s.close()
        life.shutil.rmtree(PLACE)


# --- from a container ------------------------------------------------------------------------

def files_come_out_by_dockers_rules():
    with Lab() as lab:
        lab.sh("mkdir -p /d/sub; echo one >/d/one; echo two >/d/sub/two; ln -s one /d/link; "
               "chmod 750 /d/sub; chmod 640 /d/one")
        ok("from", "c:/d/one", "new")
        assert read("new") == "one\n" and os.stat(PLACE + "/new").st_mode & 0o7777 == 0o640
        ok("from", "c:/d/sub/two", "new")  # replaces
        assert read("new") == "two\n"
        os.mkdir(PLACE + "/dir")
        ok("from", "c:/d/one", "dir")
        assert tree("dir") == ["one"]
        fails("not found", "no such directory", "from", "c:/d/one", "none/")
        fails("not found", "none", "from", "c:/d/one", "none/x")
        ok("from", "c:/d", "copied")
        assert tree("copied") == ["link", "one", "sub", "sub/two"]
        assert os.readlink(PLACE + "/copied/link") == "one"
        assert os.stat(PLACE + "/copied/sub").st_mode & 0o7777 == 0o750
        ok("from", "c:/d", "dir")
        assert tree("dir") == ["d", "d/link", "d/one", "d/sub", "d/sub/two", "one"]
        os.mkdir(PLACE + "/content")
        ok("from", "c:/d/.", "content")
        assert tree("content") == ["link", "one", "sub", "sub/two"]
        ok("from", "c:/d/.", "fresh")
        assert tree("fresh") == ["link", "one", "sub", "sub/two"]
        fails("conflict", "a directory cannot be copied to a file", "from", "c:/d", "new")
        fails("not found", "no such file", "from", "c:/nope", "x")
        fails("not found", "no such container", "from", "nope:/d", "x")
        ok("from", "c:/d/link", "l1")
        assert os.readlink(PLACE + "/l1") == "one"
        ok("from", "-L", "c:/d/link", "l2")
        assert read("l2") == "one\n"
        os.symlink("l2", PLACE + "/mine")  # the copier's own link is followed
        ok("from", "c:/d/sub/two", "mine")
        assert read("l2") == "two\n" and os.path.islink(PLACE + "/mine")


def what_comes_out_has_no_set_id_bits_and_no_foreign_owner_unless_asked_H3():
    with Lab(entry("suid", b"x", 0o6755, uid=1234, gid=1234)) as lab:
        ok("from", "c:/suid", "x")
        st = os.stat(PLACE + "/x")
        assert st.st_mode & 0o7777 == 0o755 and st.st_uid == os.getuid(), oct(st.st_mode)
        ok("from", "-a", "c:/suid", "y")
        st = os.stat(PLACE + "/y")
        assert st.st_mode & 0o7777 == 0o6755 and (st.st_uid, st.st_gid) == (1234, 1234)
        lab.sh("mkdir /dev2; mknod /dev2/null c 1 3; mkfifo /dev2/fifo")
        assert ok("from", "c:/dev2", "dev2") == "skipped 1\n"
        assert tree("dev2") == ["fifo"]


def links_of_a_container_lead_nowhere_here_H3():
    """The container changes a directory that is copied to a link between two copies."""
    with Lab() as lab:
        os.makedirs(PLACE + "/outside")
        write("outside/precious", "precious")
        os.mkdir(PLACE + "/dest")
        lab.sh("mkdir /t; ln -s %s/outside /t/x; echo evil >/precious" % PLACE)
        ok("from", "c:/t", "dest")
        assert os.readlink(PLACE + "/dest/t/x") == PLACE + "/outside"
        lab.sh("rm /t/x; mkdir /t/x; echo evil >/t/x/precious; echo evil >/t/x/new")
        fails("conflict", "a directory cannot replace what is there", "from", "c:/t", "dest")
        assert tree("outside") == ["precious"] and read("outside/precious") == "precious"


def names_of_any_bytes_are_copied_and_shown_escaped():
    with Lab() as lab:
        lab.sh(r"mkdir /n; touch /n/$(printf 'a\033[31m\377b')")
        ok("from", "c:/n", "n")
        assert os.listdir(os.fsencode(PLACE + "/n")) == [b"a\x1b[31m\xffb"]
        ok("to", "n/.", "c:/tmp")
        ok("from", b"c:/n/a\x1b[31m\xffb", "one")
        assert os.path.exists(PLACE + "/one")
        assert lab.sh("cd /tmp; printf %s *") == "a\x1b[31m\udcffb"
        os.mkdir(os.fsencode(PLACE) + b"/m")
        os.mkdir(os.fsencode(PLACE) + b"/m/n")
        os.mkdir(os.fsencode(PLACE) + b"/m/n/a\x1b[31m\xffb")
        code, _, err = cp("from", "c:/n", "m")
        assert code == 1 and "\x1b" not in err and "a\\x1b[31m\\xffb" in err, err


# --- to a container --------------------------------------------------------------------------

def files_go_in_by_dockers_rules():
    with Lab() as lab:
        write("d/one", "one\n", 0o640)
        write("d/sub/two", "two\n")
        os.symlink("one", PLACE + "/d/link")
        ok("to", "d/one", "c:/new")
        assert lab.sh("cat /new; stat -c '%a %u %g' /new") == "one\n640 0 0\n"
        ok("to", "d/sub/two", "c:/new")
        assert lab.sh("cat /new") == "two\n"
        ok("to", "d/one", "c:/tmp")
        ok("to", "d", "c:/copied")
        ok("to", "d/", "c:/tmp/")
        ok("to", "d/.", "c:/data")
        assert lab.sh("cd /; ls /tmp /tmp/d /copied /data") == (
            "/copied:\nlink\none\nsub\n\n/data:\nfile\nlink\none\nsub\n\n"
            "/tmp:\nd\none\n\n/tmp/d:\nlink\none\nsub\n")
        assert lab.sh("readlink /copied/link") == "one\n"
        fails("not found", "no such directory", "to", "d/one", "c:/none/")
        fails("not found", "no such file or directory: /none", "to", "d/one", "c:/none/x")
        fails("conflict", "a directory cannot be copied to a file", "to", "d", "c:/new")
        fails("not found", "nope", "to", "nope", "c:/tmp")
        fails("not found", "no such container", "to", "d", "nope:/tmp")
        lab.sh("mkfifo /fifo")
        fails("invalid spec", "neither a directory nor a regular file", "to", "d/one", "c:/fifo")
        ok("to", "d/link", "c:/l1")
        ok("to", "-L", "d/link", "c:/l2")
        assert lab.sh("readlink /l1; cat /l2") == "one\none\n"
        lab.sh("mkdir /real; ln -s /real /dirlink; echo x >/target; ln -s target /filelink")
        ok("to", "d/one", "c:/dirlink")
        ok("to", "d/one", "c:/filelink")  # the link stays, what it means is replaced
        assert lab.sh("ls /real; readlink /filelink; cat /target") == "one\ntarget\none\n"


def owners_are_kept_when_asked_for():
    with Lab() as lab:
        write("f", "f", 0o4755)
        os.chown(PLACE + "/f", 1000, 1001)
        os.chmod(PLACE + "/f", 0o4755)
        ok("to", "f", "c:/tmp/a")
        ok("to", "-a", "f", "c:/tmp/b")
        assert lab.sh("stat -c '%a %u %g' /tmp/a /tmp/b") == "4755 0 0\n4755 1000 1001\n"


def a_copy_there_and_back_is_the_same():
    with Lab() as lab:
        for i in range(40):
            write("t/%d/%s" % (i % 7, "n" * (i * 5 + 1)), "x" * (i * 1000))
        os.link(PLACE + "/t/0/n", PLACE + "/t/hard")
        os.mkfifo(PLACE + "/t/fifo")
        os.setxattr(PLACE + "/t/0/n", "user.k", b"v")
        os.utime(PLACE + "/t/0", ns=(1, 123456789123456789))
        ok("to", "t", "c:/t")
        ok("from", "c:/t", "back")
        assert tree("t") == tree("back")
        for name in tree("t"):
            a, b = os.lstat(PLACE + "/t/" + name), os.lstat(PLACE + "/back/" + name)
            assert (a.st_mode, a.st_mtime_ns, a.st_nlink, a.st_uid) == \
                (b.st_mode, b.st_mtime_ns, b.st_nlink, b.st_uid), name
            if stat.S_ISREG(a.st_mode):
                assert read("t/" + name) == read("back/" + name)
        # inside it has its xattrs, here none is taken over
        assert os.getxattr("%s/containers/%s/upper/t/0/n" % (life.ROOT, lab.id), "user.k") == b"v"
        assert os.listxattr(PLACE + "/back/0/n") == []


def a_read_only_container_says_why_it_takes_nothing():
    with Lab() as lab:
        write("f", "f" * 3000000)
        made = lab.s.call("container.create", spec=spec("true", read_only=True, name="ro"))
        life.IDS.add(made["id"])
        fails("conflict", "the container's root is read-only", "to", "f", "ro:/tmp")
        fails("not found", "no such file", "to", "f", "ro:/none/x")
        lab.s.call("container.remove", id="ro")


def one_that_somebody_is_at_work_on_takes_files_as_soon_as_it_can():
    with Lab() as lab:
        write("f", "f")
        made = lab.s.call("container.create", spec=spec("sleep", "1000", name="busy"))
        life.IDS.add(made["id"])
        with life.somebody_at_work_on(made["id"], 2.5):
            ok("to", "f", "busy:/tmp/waited")
        with life.somebody_at_work_on(made["id"], 0.5):
            thread = threading.Thread(target=ok, args=("to", "f", "busy:/tmp/started"))
            thread.start()
            lab.s.call("container.start", id="busy")
        thread.join()
        c = lab.s.open("container.exec", id="busy", args=["ls", "/tmp"])
        assert c.wait()["exit_code"] == 0 and c.out[1] == b"started\nwaited\n", c.out
        lab.s.call("container.remove", id="busy", force=True)


def many_megabytes_go_both_ways_with_little_memory():
    with Lab() as lab:
        with open(PLACE + "/big", "wb") as file:
            file.truncate(300000000)
        script = "import resource,subprocess,sys; subprocess.check_call(sys.argv[1:]); " \
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        for words in (["to", "big", "c:/big"], ["from", "c:/big", "back"]):
            done = subprocess.run(["python3", "-c", script, TOOL, life.ROOT, life.RUN,
                                   life.RUNTIME] + words, cwd=PLACE, stdout=subprocess.PIPE,
                                  check=True)
            assert int(done.stdout) < 64 << 10, done.stdout
        assert os.path.getsize(PLACE + "/back") == 300000000
        assert lab.sh("stat -c %s /big") == "300000000\n"


def two_copies_at_once_do_not_disturb_each_other():
    with Lab() as lab:
        write("a/f", "a" * 100000)
        write("b/f", "b" * 100000)
        results = []

        def copy(which):
            for _ in range(10):
                results.append(cp("to", which + "/f", "c:/data/f")[0])

        threads = [threading.Thread(target=copy, args=(w,)) for w in "ab"]
        [t.start() for t in threads]
        seen = set()
        for _ in range(20):
            if cp("from", "c:/data/f", "f")[0] == 0:
                seen.add(read("f"))
        [t.join() for t in threads]
        assert set(results) == {0}
        whole = {"a" * 100000, "b" * 100000, "from the image\n"}
        assert seen <= whole and seen, [len(x) for x in seen]


life.TESTS = [f for n, f in list(globals().items())
              if callable(f) and hasattr(f, "__code__") and f.__module__ == "__main__"
              and f.__code__.co_argcount == 0 and not f.__code__.co_flags & 4]

if __name__ == "__main__":
    sys.exit(life.main())
