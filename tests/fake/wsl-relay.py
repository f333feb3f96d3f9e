#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What stands behind a stand-in wsl.exe: the "VM" with its distros, on a loopback port.

A distro is a root file system of its own with a pid and a mount namespace; all of them
share one kernel, network and boot id, which a shutdown changes. Imitated is what dray has
to live with (the messages and codes are those of wsl.exe):

- its own words are UTF-16LE on stdout (UTF-8 with WSL_UTF8=1, unless it is an old one), in
  the user's language, and the exit status is -1; warnings of init go to the child's stderr;
- `--exec` passes argv as it is, `--` through a shell; a child killed by a signal gives its
  raw wait status;
- bytes go through a buffer of 4 KiB, and end when the main child ends, whoever else has
  the pipe;
- drives (links in DIR/drives, by letter) are mounted where the distro's /etc/wsl.conf says;
- a distro stops some time after its last process, init apart, and takes /run with it;
- `--import` unpacks with bsdtar into DIR/ext4.vhdx, which here is a directory (DIR/rootfs for
  WSL1), whose parent must be there, and takes away what it made when that fails;
- a WSL1 distro has another kernel's name, and no cgroups.

usage: wsl-relay.py DIR PORT-FILE [IDLE-SECONDS]

Not of wsl.exe: `--set-state NAME STATE` makes a distro that is being converted, say.

The wire, over one TCP connection: a line of JSON {"argv":[...],"utf8":bool,"old":bool},
then frames: a byte, a length (u32, little-endian), bytes. To the relay: 0 stdin, an empty
one is its end. From it: 1 stdout (an empty one: it is closed), 2 stderr, 3 exit status (i32).
When the connection goes, the child's pipes are closed, as when wsl.exe is killed.

"fault" in that JSON: what goes wrong, "WHAT=BYTES" of what the child writes or takes:
  cut      after so many bytes of stdout wsl.exe is gone
  cut-up   the same of stdin
  say      something that is not the child's comes between
  close    stdout is closed, stdin is taken still
  stuck    nothing comes any more, and next to nothing is taken
  fail-up  of stdin: an import fails
  stuck-up of stdin: next to nothing is taken any more
"""
import configparser
import ctypes
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import uuid

CHUNK = 4096
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
KERNEL1 = "4.4.0-19041-Microsoft"
STATES = {"Running": "Wird ausgeführt", "Stopped": "Beendet", "Converting": "Wird konvertiert"}
DONE = "Der Vorgang wurde erfolgreich beendet.\r\n"
NONE = ("Das Windows-Subsystem für Linux hat keine installierten Distributionen.\r\n"
        "Fehlercode: Wsl/WSL_E_DEFAULT_DISTRO_NOT_FOUND\r\n")
BUSY = ("Für diese Distribution wird ein Installations-, Deinstallations- oder "
        "Konvertierungsvorgang ausgeführt.\r\n"
        "Fehlercode: Wsl/Service/CreateInstance/E_ILLEGAL_STATE_CHANGE\r\n")
NO_PATH = ("Das System kann den angegebenen Pfad nicht finden.\r\n"
           "Fehlercode: Wsl/ERROR_PATH_NOT_FOUND\r\n")
IN_USE = ("Der angegebene Installationsort wird schon verwendet.\r\n"
          "Fehlercode: Wsl/Service/RegisterDistro/ERROR_FILE_EXISTS\r\n")
NO_DISTRO = ("Die importierte Datei ist keine gültige Linux-Distribution.\r\n"
             "Fehlercode: Wsl/Service/RegisterDistro/WSL_E_NOT_A_LINUX_DISTRO\r\n")
IMPORT_FAILED = ("Fehler beim Importieren der Distribution.\r\n"
                 "Fehlercode: Wsl/Service/RegisterDistro/WSL_E_IMPORT_FAILED\r\n")
NO_SUCH = ("Es gibt keine Distribution mit dem angegebenen Namen.\r\n"
           "Fehlercode: Wsl/Service/WSL_E_DISTRO_NOT_FOUND\r\n")
EXISTS = ("Eine Distribution mit dem angegebenen Namen besteht schon.\r\n"
          "Fehlercode: Wsl/Service/RegisterDistro/ERROR_ALREADY_EXISTS\r\n")
USAGE = ("Ungültiges Befehlszeilenargument: {}\r\nFehlercode: Wsl/E_INVALIDARG\r\n")
WORDS = b"Broadcast message from root: the system is going down\n"
libc = ctypes.CDLL(None, use_errno=True)


def mount(source, target, kind, flags):
    if libc.mount(source.encode(), target.encode(), kind.encode(), flags, None) != 0:
        raise OSError(ctypes.get_errno(), f"mount {target}")


def mount_drives(root, drives):
    conf = configparser.ConfigParser()
    conf.read(f"{root}/etc/wsl.conf")
    if not conf.getboolean("automount", "enabled", fallback=True):
        return
    place = root + conf.get("automount", "root", fallback="/mnt/").strip('"')
    for letter in os.listdir(drives) if os.path.isdir(drives) else ():
        os.makedirs(f"{place}/{letter}", exist_ok=True)
        mount(os.path.realpath(f"{drives}/{letter}"), f"{place}/{letter}", "", 4096)


def distro_init(root, boot_id, version, drives):
    """In a process of its own: becomes the distro's first process."""
    MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
    if libc.unshare(0x00020000 | 0x20000000) != 0:  # mounts, and pids of children
        raise OSError(ctypes.get_errno(), "unshare")
    child = os.fork()
    if child:
        print(child, flush=True)
        os._exit(0)
    mount("none", "/", "", MS_REC | MS_PRIVATE)
    for name in ("proc", "sys", "dev", "run", "tmp", "mnt"):
        os.makedirs(f"{root}/{name}", exist_ok=True)
    mount("proc", f"{root}/proc", "proc", 0)
    if version == 2:
        mount("/sys", f"{root}/sys", "", MS_BIND | MS_REC)
    mount("/dev", f"{root}/dev", "", MS_BIND | MS_REC)
    mount("none", f"{root}/run", "tmpfs", 0)
    with open(f"{root}/run/boot_id", "w", encoding="ascii") as f:
        f.write(boot_id + "\n")
    mount(f"{root}/run/boot_id", f"{root}/proc/sys/kernel/random/boot_id", "", MS_BIND)
    if version == 1:
        with open(f"{root}/run/osrelease", "w", encoding="ascii") as f:
            f.write(KERNEL1 + "\n")
        mount(f"{root}/run/osrelease", f"{root}/proc/sys/kernel/osrelease", "", MS_BIND)
    mount_drives(root, drives)
    mount(root, root, "", MS_BIND | MS_REC)
    os.chdir(root)
    # the root of the namespace, so that nothing of the outside is reachable
    if libc.syscall(155, b".", b".") != 0:  # pivot_root
        raise OSError(ctypes.get_errno(), "pivot_root")
    libc.umount2(b".", 2)
    os.chdir("/")
    os.setsid()
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.closerange(3, 1 << 16)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            time.sleep(0.05)


class Machine:
    def __init__(self, directory, idle_s):
        self.dir = directory
        self.idle_s = idle_s
        self.lock = threading.RLock()
        self.boot_id = str(uuid.uuid4())
        self.running = {}  # name -> pid of init
        self.quiet_since = {}
        self.clients = {}

    def registry(self):
        try:
            with open(f"{self.dir}/distros.json", encoding="utf-8") as f:
                return json.load(f)
        except FileNotFoundError:
            return {}

    def register(self, distros):
        with open(f"{self.dir}/distros.json.new", "w", encoding="utf-8") as f:
            json.dump(distros, f)
        os.rename(f"{self.dir}/distros.json.new", f"{self.dir}/distros.json")

    def find(self, name):
        """As it is registered: case makes no difference."""
        return next((d for d in self.registry() if d.lower() == name.lower()), None)

    def start(self, name):
        with self.lock:
            if name not in self.running:
                distro = self.registry()[name]
                out = subprocess.run(
                    [sys.executable, __file__, "--init", distro["root"], self.boot_id,
                     str(distro["version"]), f"{self.dir}/drives"], stdout=subprocess.PIPE, check=True).stdout
                pid = int(out)
                while os.readlink(f"/proc/{pid}/root") == "/" and self.outer(pid):
                    time.sleep(0.005)
                self.running[name] = pid
            self.quiet_since.pop(name, None)
            return self.running[name]

    @staticmethod
    def outer(pid):
        """Not yet behind its pivot_root: its root still is ours."""
        a, b = os.stat(f"/proc/{pid}/root/"), os.stat("/")
        return (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)

    def stop(self, name):
        with self.lock:
            pid = self.running.pop(name, None)
            if pid is None:
                return
            os.kill(pid, signal.SIGKILL)  # and with it everything in its namespace
            while True:
                try:
                    if os.waitpid(pid, 0)[0] == pid:
                        break
                except ChildProcessError:
                    if not os.path.exists(f"/proc/{pid}"):
                        break
                    time.sleep(0.01)

    def busy(self, name, pid):
        if self.clients.get(name, 0) > 0:
            return True
        try:
            return any(e.isdigit() and e != "1" for e in os.listdir(f"/proc/{pid}/root/proc"))
        except OSError:
            return False

    def watch(self):
        while True:
            time.sleep(min(0.1, self.idle_s / 4))
            with self.lock:
                for name, pid in list(self.running.items()):
                    if self.busy(name, pid):
                        self.quiet_since.pop(name, None)
                    elif time.monotonic() - self.quiet_since.setdefault(
                            name, time.monotonic()) > self.idle_s:
                        self.stop(name)


def at_the_other_end(sock):
    """The processes that have a connection's other end, /proc/PID: Wine's server has it too, and
    keeps it when a program was killed that was waiting on it. None where there is no Wine."""
    if sock.family != socket.AF_INET:
        return []
    port = "%04X" % sock.getpeername()[1]
    with open("/proc/net/tcp", encoding="ascii") as file:
        rows = [line.split() for line in file][1:]
    ends = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(":" + port)}
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
                server = file.read().startswith("wineserver")
            if not server and any(os.readlink(f"/proc/{pid}/fd/{fd}") in ends
                                  for fd in os.listdir(f"/proc/{pid}/fd")):
                found.append(f"/proc/{pid}")
        except OSError:
            pass  # it has ended meanwhile
    return found


class Client:
    def __init__(self, machine, sock):
        self.machine, self.sock = machine, sock
        self.peers = []  # as soon as it has spoken
        self.send_lock = threading.Lock()
        self.file = sock.makefile("rb", buffering=0)
        self.taken = self.given = 0  # bytes of stdin and stdout

    def fault(self, name, done):
        """Is it the fault, and its time, when so many bytes have passed?"""
        what, _, size = (self.request.get("fault") or "").partition("=")
        return what == name and done >= int(size)

    def send(self, kind, data):
        with self.send_lock:
            self.sock.sendall(struct.pack("<BI", kind, len(data)) + data)

    def say(self, text):
        """In wsl.exe's own voice."""
        if not text:
            return
        utf8 = self.request.get("utf8") and not self.request.get("old")
        self.send(1, text.encode("utf-8" if utf8 else "utf-16-le"))

    def end(self, code):
        self.send(3, struct.pack("<i", code))

    def fail(self, text):
        self.say(text)
        self.end(-1)

    def there(self):
        """Waits until something comes, or the end; false: who would send it is gone."""
        while not select.select([self.sock], [], [], 0.5)[0]:
            if self.peers and not any(map(os.path.exists, self.peers)):
                return False
        return True

    def read_exact(self, n):
        data = b""
        while len(data) < n:
            part = self.there() and self.file.read(n - len(data))
            if not part:
                return None
            data += part
        return data

    def stdin_to(self, pipe):
        """Until its end, or the connection's: then wsl.exe is gone, and so is its relay."""
        gone = False
        try:
            while True:
                head = self.read_exact(5)
                gone = head is None
                if gone:
                    break
                size = struct.unpack("<BI", head)[1]
                data = self.read_exact(size) if size else b""
                if not data:
                    gone = data is None
                    break
                for at in range(0, len(data), CHUNK):
                    pipe.write(data[at:at + CHUNK])
                self.taken += len(data)
                gone = self.spoil_up()
                if gone:
                    break
        except OSError:
            pass
        try:
            pipe.close()
        except OSError:
            pass
        return gone

    def hung_up(self):
        """Is wsl.exe gone? Its end comes behind what it has sent: that is taken, slowly."""
        time.sleep(0.05)
        return not (self.there() and self.sock.recv(65536))

    def pump(self, pipe, kind):
        try:
            while True:
                data = os.read(pipe.fileno(), CHUNK)
                if not data:
                    return
                if kind == 1:
                    data = self.spoil(data)
                self.send(kind, data)
        except (OSError, ValueError):
            pipe.close()  # nobody reads it any more, and who writes is told

    def spoil_up(self):
        """Is it the end, by a fault?"""
        if self.fault("cut-up", self.taken):
            self.sock.shutdown(socket.SHUT_RDWR)
            return True
        while self.fault("stuck", self.given) or self.fault("stuck-up", self.taken):
            if self.hung_up():
                return True
        return self.fault("fail-up", self.taken)

    def spoil(self, data):
        """What of stdout comes of the fault, if there is one."""
        before, self.given = self.given, self.given + len(data)
        if self.fault("cut", self.given):
            self.sock.shutdown(socket.SHUT_RDWR)
            raise OSError("cut")
        if self.fault("close", self.given):
            self.send(1, b"")
            raise OSError("closed")
        while self.fault("stuck", self.given):
            if self.hung_up():
                raise OSError("gone")
        if self.fault("say", self.given) and not (before and self.fault("say", before)):
            data = WORDS + data
        return data

    # --- commands ---

    def run(self):
        line = b""
        while not line.endswith(b"\n"):
            c = self.file.read(1)
            if not c:
                return
            line += c
        self.request = json.loads(line)
        self.peers = at_the_other_end(self.sock)
        argv = self.request["argv"]
        commands = {"--list": self.list, "-l": self.list, "--import": self.import_distro,
                    "--terminate": self.terminate, "-t": self.terminate,
                    "--shutdown": self.shutdown, "--unregister": self.unregister,
                    "--set-version": self.set_version, "--set-state": self.set_state,
                    "--status": self.status, "--version": self.status}
        if argv and argv[0] in commands:
            commands[argv[0]](argv[1:])
        else:
            self.execute(argv)

    def status(self, argv):
        self.say("Standardversion: 2\r\n")
        self.end(0)

    def list(self, argv):
        distros = self.machine.registry()
        for name, distro in distros.items():
            if distro["state"] is None:
                distro["state"] = "Running" if name in self.machine.running else "Stopped"
        if "--running" in argv:
            distros = {n: d for n, d in distros.items() if d["state"] == "Running"}
        elif "--all" not in argv and not {"--verbose", "-v"} & set(argv):
            distros = {n: d for n, d in distros.items() if d["state"] in ("Running", "Stopped")}
        if "--quiet" in argv or "-q" in argv:
            self.say("".join(f"{d}\r\n" for d in distros))
        elif not distros:
            return self.fail(NONE)
        elif "--verbose" in argv or "-v" in argv:
            width = max(4, *map(len, distros)) + 4
            self.say(f"  {'NAME':{width}}{'STATUS':16}VERSION\r\n" + "".join(
                f"{' ' if i else '*'} {n:{width}}{STATES[d['state']]:16}{d['version']}\r\n"
                for i, (n, d) in enumerate(distros.items())))
        else:
            self.say("Windows-Subsystem für Linux-Distributionen:\r\n" +
                     "".join(f"{d}\r\n" for d in distros))
        return self.end(0)

    def here(self, path):
        """A path of the caller's, as this side sees it: C:\\x is in DIR/drives/c."""
        if path[1:2] == ":":
            path = f"{self.machine.dir}/drives/{path[0].lower()}/" + path[2:].replace("\\", "/")
            path = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        return os.path.abspath(path)

    def import_distro(self, argv):
        name, place, source = argv[0], self.here(argv[1]), argv[2]
        source = source if source == "-" else self.here(source)
        version = int(argv[4]) if argv[3:4] == ["--version"] else 2
        root = f"{place}/" + ("ext4.vhdx" if version == 2 else "rootfs")
        with self.machine.lock:
            distros = self.machine.registry()
            if self.machine.find(name):
                return self.fail(EXISTS)
            if any(os.path.dirname(d["root"]) == place for d in distros.values()):
                return self.fail(IN_USE)
            made = not os.path.isdir(place)
            try:
                if made:
                    os.mkdir(place)
                os.mkdir(root)
            except FileNotFoundError:
                return self.fail(NO_PATH)
            except FileExistsError:
                return self.fail(IN_USE)
            distros[name] = {"root": root, "version": version, "state": "Converting"}
            self.machine.register(distros)
        error = self.unpack(source, root)
        with self.machine.lock:
            distros = self.machine.registry()
            distros[name]["state"] = None
            if error:
                shutil.rmtree(root)
                if made:
                    os.rmdir(place)
                del distros[name]
            self.machine.register(distros)
        if error:
            return self.fail(error)
        self.say(DONE)
        return self.end(0)

    def unpack(self, source, root):
        """As the service does it; what is wrong, or None."""
        tar = subprocess.Popen(
            ["bsdtar", "-C", root, "-x", "-p", "--xattrs", "--numeric-owner", "-f", source],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        errors = []
        reader = threading.Thread(target=lambda: errors.append(tar.stderr.read()), daemon=True)
        reader.start()
        gone = False
        if source == "-":
            gone = self.stdin_to(tar.stdin)
        else:
            tar.stdin.close()
        code = tar.wait()
        reader.join()
        try:
            self.send(2, errors[0])
        except OSError:
            gone = True
        if gone or code != 0:
            return IMPORT_FAILED
        if not os.path.isdir(f"{root}/etc") and not os.path.lexists(f"{root}/bin/sh"):
            return NO_DISTRO
        return None

    def terminate(self, argv):
        if not self.machine.find(argv[0]):
            return self.fail(NO_SUCH)
        self.machine.stop(self.machine.find(argv[0]))
        self.say(DONE)
        return self.end(0)

    def shutdown(self, argv):
        with self.machine.lock:
            for name in list(self.machine.running):
                self.machine.stop(name)
            self.machine.boot_id = str(uuid.uuid4())
        self.end(0)

    def change(self, name, **what):
        with self.machine.lock:
            if not self.machine.find(name):
                return self.fail(NO_SUCH)
            distros = self.machine.registry()
            self.machine.stop(self.machine.find(name))
            distros[self.machine.find(name)].update(what)
            self.machine.register(distros)
        self.say(DONE)
        return self.end(0)

    def set_state(self, argv):
        self.change(argv[0], state=argv[1] if argv[1] != "Stopped" else None)

    def set_version(self, argv):
        self.change(argv[0], version=int(argv[1]))

    def unregister(self, argv):
        with self.machine.lock:
            distros = self.machine.registry()
            name = self.machine.find(argv[0])
            if not name:
                return self.fail(NO_SUCH)
            self.machine.stop(name)
            shutil.rmtree(distros.pop(name)["root"])
            self.machine.register(distros)
        self.say(DONE)
        return self.end(0)

    def execute(self, argv):
        name, at, shell = None, 0, False
        while at < len(argv):
            if argv[at] in ("-d", "--distribution"):
                name = argv[at + 1]
                at += 2
            elif argv[at] in ("-u", "--user", "--cd"):
                at += 2
            elif argv[at] in ("-e", "--exec", "--"):
                shell = argv[at] == "--"
                at += 1
                break
            else:
                return self.fail(USAGE.format(argv[at]))
        distros = self.machine.registry()
        name = self.machine.find(name or next(iter(distros), ""))
        if not name:
            return self.fail(NO_SUCH)
        if distros[name]["state"]:
            return self.fail(BUSY)
        words = argv[at:]
        if shell:
            words = ["/bin/sh", "-c", " ".join(words)]
        with self.machine.lock:
            pid = self.machine.start(name)
            self.machine.clients[name] = self.machine.clients.get(name, 0) + 1
        try:
            return self.run_in(pid, name, words)
        finally:
            with self.machine.lock:
                self.machine.clients[name] -= 1

    def run_in(self, pid, name, words):
        child = subprocess.Popen(
            ["nsenter", "-t", str(pid), "-m", "-p", "--root", "--wd", "--"] + words,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
            env={"PATH": PATH, "WSL_DISTRO_NAME": name, "HOME": "/root"},
            start_new_session=True)
        if self.request.get("warn"):
            self.send(2, b"wsl: " + self.request["warn"].encode() + b"\n")
        pumps = [threading.Thread(target=self.pump, args=(child.stdout, 1), daemon=True),
                 threading.Thread(target=self.pump, args=(child.stderr, 2), daemon=True)]
        for thread in pumps:
            thread.start()
        threading.Thread(target=self.stdin_to, args=(child.stdin,), daemon=True).start()
        code = child.wait()
        # what the main child wrote still comes; what others write does not
        for thread in pumps:
            thread.join(0.2)
        child.stdout.close()
        child.stderr.close()
        self.end(code if code >= 0 else -code)


def serve(machine, sock):
    client = Client(machine, sock)
    try:
        client.run()
    except OSError:
        pass
    finally:
        try:
            # what is not read when a socket is closed takes along what was not delivered yet
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass
        except OSError:
            pass
        sock.close()


def main():
    if sys.argv[1] == "--init":
        distro_init(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
    libc.prctl(36, 1, 0, 0, 0)  # the first processes of distros become our children
    machine = Machine(sys.argv[1], float(sys.argv[3]) if len(sys.argv) > 3 else 15)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)  # a slow reader is felt soon
    with open(sys.argv[2] + ".new", "w", encoding="ascii") as f:
        f.write(str(listener.getsockname()[1]))
    os.rename(sys.argv[2] + ".new", sys.argv[2])
    threading.Thread(target=machine.watch, daemon=True).start()

    def leave(*_):
        for name in list(machine.running):
            machine.stop(name)
        os._exit(0)

    signal.signal(signal.SIGTERM, leave)
    listener.settimeout(0.5)  # a signal that another thread has got waits for this one
    while True:
        try:
            sock = listener.accept()[0]
        except TimeoutError:
            continue
        threading.Thread(target=serve, args=(machine, sock), daemon=True).start()


main()
