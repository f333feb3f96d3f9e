# SPDX-License-Identifier: Apache-2.0
"""Both ends of connections into a container, for the tests of ports.

    port-tool.py serve PORT             in the container's network (nsenter); says "ready"
    port-tool.py CHECK HOST PORT [ARG]  from outside; a CHECK is one of the functions below

A connection's first line says what the server does with it. UDP of the same port is echoed.
"""
import hashlib
import os
import socket
import struct
import sys
import threading
import time

CHUNK = 1 << 16
ENDS = []  # how connections that were told to "watch" have ended


def pattern(size, seed):
    """size bytes that are the same everywhere, in pieces."""
    block = hashlib.sha256(str(seed).encode()).digest() * 2048
    while size > 0:
        yield block[:min(size, len(block))]
        size -= len(block)


def digest(pieces):
    h = hashlib.sha256()
    for piece in pieces:
        h.update(piece)
    return h.hexdigest()


def pieces_of(sock):
    while True:
        data = sock.recv(CHUNK)
        if not data:
            return
        yield data


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


# --- the server ---

def read_line(sock):
    line = b""
    while not line.endswith(b"\n"):
        byte = sock.recv(1)
        if not byte:
            break
        line += byte
    return line.decode().split()


def serve_one(sock):
    try:
        word, *args = read_line(sock) or ["nothing"]
        if word == "echo":
            for piece in pieces_of(sock):
                sock.sendall(piece)
        elif word == "source":
            for piece in pattern(int(args[0]), "source"):
                sock.sendall(piece)
        elif word == "sink":
            sock.sendall(digest(pieces_of(sock)).encode())
        elif word == "first":  # ends its half at once, and reads on
            sock.shutdown(socket.SHUT_WR)
            ENDS.append(digest(pieces_of(sock)))
        elif word == "reset":
            sock.recv(1)
            return reset(sock)
        elif word == "watch":
            try:
                sock.sendall(b"w")
                ENDS.append("%d bytes" % sum(map(len, pieces_of(sock))))
            except OSError as e:
                ENDS.append(os.strerror(e.errno))
        elif word == "ends":
            sock.sendall("\n".join(ENDS).encode())
        elif word == "peer":
            sock.sendall(sock.getpeername()[0].encode())
    except OSError:
        pass
    sock.close()


def serve(port):
    listener = socket.socket(socket.AF_INET6)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind(("::", int(port)))
    listener.listen(1024)
    udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    udp.bind(("::", int(port)))

    def echo():
        while True:
            data, peer = udp.recvfrom(CHUNK)
            udp.sendto(data, peer)
    threading.Thread(target=echo, daemon=True).start()
    print("ready", flush=True)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=serve_one, args=(sock,), daemon=True).start()


# --- the checks ---

def dial(host, port, line):
    sock = socket.create_connection((host, int(port)), timeout=60)
    sock.sendall((line + "\n").encode())
    return sock


def ask(host, port, line):
    with dial(host, port, line) as sock:
        return b"".join(pieces_of(sock)).decode()


def transfer(host, port, size):
    """That many bytes each way, at once on two connections and again on one."""
    size = int(size)
    down = dial(host, port, "source %d" % size)
    up = dial(host, port, "sink")
    both = dial(host, port, "echo")
    got = {}

    def read(name, sock):
        got[name] = digest(pieces_of(sock))
    readers = [threading.Thread(target=read, args=a)
               for a in (("down", down), ("up", up), ("both", both))]
    for r in readers:
        r.start()

    def write(sock, seed):
        for piece in pattern(size, seed):
            sock.sendall(piece)
        sock.shutdown(socket.SHUT_WR)
    writer = threading.Thread(target=write, args=(both, "both"))
    writer.start()
    write(up, "up")
    writer.join()
    for r in readers[:1] + readers[2:]:
        r.join()
    assert got["down"] == digest(pattern(size, "source")), "what came is not what was sent"
    assert got["both"] == digest(pattern(size, "both")), "the echo is another one"
    readers[1].join()
    up.close()


def sink(host, port, size):
    """The answer comes after the end of what is sent: half-close by the client."""
    with dial(host, port, "sink") as sock:
        for piece in pattern(int(size), "up"):
            sock.sendall(piece)
        sock.shutdown(socket.SHUT_WR)
        answer = b"".join(pieces_of(sock)).decode()
    assert answer == digest(pattern(int(size), "up")), answer


def half_close(host, port):
    sink(host, port, 1 << 20)
    with dial(host, port, "first") as sock:  # and by the server
        assert sock.recv(1) == b""
        for piece in pattern(1 << 20, "late"):
            sock.sendall(piece)
    until_ends(host, port, digest(pattern(1 << 20, "late")))


def until_ends(host, port, wanted):
    end = time.time() + 30
    while wanted not in ask(host, port, "ends").split("\n"):
        assert time.time() < end, ask(host, port, "ends")
        time.sleep(0.05)


def resets(host, port):
    with dial(host, port, "reset") as sock:
        sock.sendall(b"xx")
        try:
            data = sock.recv(10)
            raise AssertionError("no reset came but %r" % data)
        except ConnectionResetError:
            pass
    sock = dial(host, port, "watch")
    assert sock.recv(1) == b"w"
    reset(sock)
    until_ends(host, port, "Connection reset by peer")


def refused(host, port):
    """Nobody listens behind it: a refused connection, or one that is reset."""
    try:
        with socket.create_connection((host, int(port)), timeout=20) as sock:
            data = sock.recv(1)
            raise AssertionError("no reset came but %r" % data)
    except (ConnectionResetError, ConnectionRefusedError):
        pass


def many(host, port, count):
    """Short connections, a few at a time."""
    bad = []

    def run(n):
        for i in range(n):
            try:
                with dial(host, port, "echo") as sock:
                    sock.sendall(b"%d" % i)
                    sock.shutdown(socket.SHUT_WR)
                    if b"".join(pieces_of(sock)) != b"%d" % i:
                        bad.append("not what was sent")
            except OSError as e:
                bad.append(str(e))
    threads = [threading.Thread(target=run, args=(int(count) // 10,)) for _ in range(10)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not bad, (len(bad), bad[:3])


def slow(host, port, pid):
    """Readers that do not read hold the server back; the process's memory stays."""
    def private():
        with open("/proc/%s/smaps_rollup" % pid) as f:
            return sum(int(line.split()[1]) for line in f if line.startswith("Private"))
    before = private()
    socks = [dial(host, port, "source %d" % (64 << 20)) for _ in range(20)]
    time.sleep(1)
    grown = private() - before
    assert grown < 300, "%d kB more" % grown
    assert digest(pieces_of(socks[0])) == digest(pattern(64 << 20, "source"))
    for sock in socks[1:]:
        sock.close()


def udp(host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    socks = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(3)]
    for i, sock in enumerate(socks):
        sock.settimeout(2)
        sock.connect((host, int(port)))
        for size in (1, 1400, 40000):
            data = bytes([i]) * size
            for _ in range(20):  # datagrams may be lost
                sock.send(data)
                try:
                    got = sock.recv(CHUNK)
                    break
                except socket.timeout:
                    got = None
            assert got == data, (i, size)


def say(host, port, text):
    """To a server that repeats what it hears, whatever it is."""
    with dial(host, port, text) as sock:
        sock.shutdown(socket.SHUT_WR)
        assert b"".join(pieces_of(sock)).decode() == text + "\n"


def peer(host, port):
    print(ask(host, port, "peer"))


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
