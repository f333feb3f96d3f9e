# SPDX-License-Identifier: Apache-2.0
"""What GNU tar and Python's tarfile make of the writer's sample. read-sample.py TAR-SAMPLE"""
import io
import subprocess
import sys
import tarfile

SAMPLE = sys.argv[1]
DATA = subprocess.run([SAMPLE], stdout=subprocess.PIPE, check=True).stdout
N50 = "0123456789012345678901234567890123456789-123456789"
S50 = "abcdefghi/" * 5


def python_reads_every_entry():
    with tarfile.open(fileobj=io.BytesIO(DATA), errorlevel=2) as tar:
        members = tar.getmembers()
        names = [m.name for m in members]
        assert names[:6] == ["top", "top/empty", "top/one", "top/block", "top/more", N50 * 2]
        assert names[6:9] == [N50 * 2 + "x", S50 * 3 + "abcd/" + N50 * 2,
                              S50 * 3 + "abcdefg/" + N50 * 2]
        by = {m.name: m for m in members}
        assert by["top"].isdir() and by["top"].mode == 0o1777
        assert by["top/empty"].mode == 0o4755 and by["top/empty"].mtime == 1000000000
        assert tar.extractfile("top/more").read() == b"e" * 200000
        assert by["link"].issym() and by["link"].linkname == N50 * 2
        assert by["long link"].linkname == N50 * 2 + "/" + N50
        assert by["hard"].islnk() and by["hard"].linkname == "top/one"
        assert by["null"].ischr() and (by["null"].devmajor, by["null"].devminor) == (1, 3)
        assert by["fifo"].isfifo() and by["fifo"].mtime == -1.25
        assert (by["ids"].uid, by["ids"].gid) == (2097151, 2097152)
        assert abs(by["ids"].mtime - 1700000000.123456789) < 1e-6
        assert by["max"].uid == by["max"].gid == 2 ** 31 - 2
        odd = by["bytes \udcff\n\x1b[31m"]
        assert odd.pax_headers["SCHILY.xattr.user.dray"] == "value\nwith = and \0 NUL"
        assert odd.pax_headers["SCHILY.xattr.user.empty"] == ""
        assert len(members) == 17


def gnu_tar_lists_every_entry_without_a_word_on_stderr():
    done = subprocess.run(["tar", "--numeric-owner", "--full-time", "-tvf", "-"], input=DATA,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True,
                          env={"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"})
    lines = done.stdout.decode("latin-1").splitlines()
    assert done.stderr == b"", done.stderr
    assert len(lines) == 17, lines
    assert any("2097151/2097152" in line and "2023-11-14 22:13:20.123456789" in line
               for line in lines), lines
    assert any(line.startswith("c") and "1,3" in line for line in lines), lines
    assert any(line.endswith("hard link to top/one") for line in lines), lines


def a_size_beyond_ustar_is_read_by_gnu_tar():
    with subprocess.Popen([SAMPLE, "big"], stdout=subprocess.PIPE) as made:
        done = subprocess.run(["tar", "-tvf", "-"], stdin=made.stdout, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=True, env={"LC_ALL": "C"})
        assert made.wait() == 0
    last = done.stdout.decode("latin-1").splitlines()[-1]
    assert " 8589934592 " in last and last.endswith(" big"), last
    assert done.stderr == b"", done.stderr


TESTS = [python_reads_every_entry, gnu_tar_lists_every_entry_without_a_word_on_stderr,
         a_size_beyond_ustar_is_read_by_gnu_tar]
print("1..%d" % len(TESTS))
for number, test in enumerate(TESTS, 1):
    test()
    print("ok %d - %s" % (number, test.__name__), flush=True)
