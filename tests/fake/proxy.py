#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A bad line in front of a real registry: passes HTTP on, and spoils it on demand.

    proxy.py --upstream HOST:PORT --port-file F [--fault RULE]... [--rules FILE] [--log FILE]
             [--port N] [--tls CERT KEY] [--raw]

A rule is one text, FAULT[=ARG][@K] [METHOD] [REGEX]: for requests of that method whose path
(with its query) has a match of the regular expression, the first K times per path (uploads: of
the repository), otherwise always. --rules: a file with one rule in a line, read anew for each request (write it by
rename). All rules that match apply, the first one of a kind wins.

    status=CODE            answered here, the registry is not asked
    retry-after=TEXT       goes with status=: seconds or a date; "date+N": N seconds from now
    header=NAME:VALUE      one more header in the answer, of whomever
    error=CODE:MESSAGE     the words of status=
    drop                   the connection is closed without an answer; drop-late: after the
                           registry did what was asked
    truncate=N, reset=N    closed, or reset, after N bytes of the answer's body
    truncate-request=N, reset-request=N     the same after N bytes of the request's body have
                           reached the registry
    stall=N                nothing more comes after N bytes of the answer's body
    stall-request=N        N bytes of the request's body are taken, and no more
    corrupt=N              byte N of the answer's body is another one
    slow=N                 N bytes a second, both ways
    no-range               Range does not reach the registry; no-head: HEAD answers 405
    no-auth                Authorization does not reach the registry: its own 401 comes back
    token-uses=N           a bearer token is good for N requests, then as no-auth
    redirect[=CODE]        to the other port of this proxy, under another host name. There,
                           what the registry would want to know was said by the redirect; a
                           request that brings Authorization is refused, as S3 does it.
    redirect-http          (with --tls) the other port speaks plain HTTP
    redirect-to=URL        to there
    location=side          upload Locations in answers point to the other port
    location=relative      they have no scheme and no host
--raw: bytes are passed on without a look at them (HTTP/2, TLS); the rules are reset=N,
    truncate=N, stall=N and slow=N, N counted per connection and from the server; @K: the first
    K connections.
--log: a line per request: side method path status authorization range[+if-range] request-bytes
    answer-bytes. Bytes are those of bodies. Of a token its last 12 characters are written.
    With --raw: open, when a connection has come; raw - - - - - bytes bytes, when one is over.
The port is told at the port file (ports.py) when connections are accepted.
"""
import argparse
import email.utils
import fcntl
import json
import os
import re
import select
import socket
import ssl
import struct
import sys
import termios
import threading
import time

import ports

FAULTS = set("""status retry-after header error drop drop-late truncate reset truncate-request
    reset-request stall stall-request corrupt slow no-range no-head no-auth token-uses redirect
    redirect-http redirect-to location""".split())
PIECE = 64 * 1024


class Broken(Exception):
    """The connection ends here."""


class Rule:
    def __init__(self, text):
        self.text = text
        match = re.fullmatch(r"([a-z-]+)(?:=(\S*?))?(?:@(\d+))?(?: ([A-Z]+))?(?: (.+))?", text)
        if not match or match.group(1) not in FAULTS:
            sys.exit(f"proxy.py: no such rule: {text}")
        self.name, self.arg, times, self.method, self.where = match.groups()
        self.times = int(times) if times else 0


class Rules:
    def __init__(self, texts, path):
        self.fixed, self.path = [Rule(text) for text in texts], path
        self.seen, self.lock = {}, threading.Lock()

    def all(self):
        if not self.path or not os.path.exists(self.path):
            return self.fixed
        with open(self.path, encoding="utf-8") as f:
            return self.fixed + [Rule(line) for line in f.read().splitlines() if line]

    def of(self, method, path):
        """What is to happen to this request: name → argument (True: none)."""
        result = {}
        for rule in self.all():
            if rule.method and rule.method != method:
                continue
            if rule.where and not re.search(rule.where, path):
                continue
            if rule.times:
                with self.lock:
                    # every upload has a path of its own: they count as one
                    key = (rule.text, re.sub(r"/uploads/.*", "/uploads/", path))
                    self.seen[key] = self.seen.get(key, 0) + 1
                    if self.seen[key] > rule.times:
                        continue
            result.setdefault(rule.name, rule.arg or True)
        return result


class Message:
    """A head of HTTP/1.1: the first line's words, and headers in order."""

    def __init__(self, first, headers):
        self.first, self.headers = first, headers

    def get(self, name):
        return next((v for n, v in self.headers if n.lower() == name), None)

    def without(self, *names):
        self.headers = [(n, v) for n, v in self.headers if n.lower() not in names]

    def set(self, name, value):
        self.without(name.lower())
        self.headers.append((name, value))

    def bytes(self):
        lines = [" ".join(self.first)] + [f"{n}: {v}" for n, v in self.headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Stream:
    """A socket that is read head by head and body by body."""

    def __init__(self, sock):
        self.sock, self.held = sock, b""

    def more(self):
        data = self.sock.recv(PIECE)
        if not data:
            raise Broken()
        self.held += data

    def line(self):
        while b"\n" not in self.held:
            self.more()
        line, _, self.held = self.held.partition(b"\n")
        return line.rstrip(b"\r").decode("latin-1")

    def head(self):
        first = self.line().split(" ", 2)
        headers = []
        while line := self.line():
            name, _, value = line.partition(":")
            headers.append((name, value.strip()))
        return Message(first, headers)

    def some(self, limit):
        if not self.held:
            self.more()
        data, self.held = self.held[:limit], self.held[limit:]
        return data

    def body(self, head, none, until_close):
        """Pieces of the body as (bytes as they stood on the wire, bytes of the body)."""
        if none:
            return
        if "chunked" in (head.get("transfer-encoding") or "").lower():
            while True:
                size_line = self.line()
                size = int(size_line.split(";")[0], 16)
                yield (size_line + "\r\n").encode(), b""
                while size > 0:
                    data = self.some(size)
                    size -= len(data)
                    yield data, data
                if size_line.strip("0 ") == "":
                    while line := self.line():
                        yield (line + "\r\n").encode(), b""
                    yield b"\r\n", b""
                    return
                self.line()
                yield b"\r\n", b""
        elif head.get("content-length") is not None:
            size = int(head.get("content-length"))
            while size > 0:
                data = self.some(size)
                size -= len(data)
                yield data, data
        elif until_close:
            try:
                while True:
                    data = self.some(PIECE)
                    yield data, data
            except Broken:
                return

    def all_was_read(self):
        """On this machine: nothing waits on our side, nor on the other one's."""
        waiting = fcntl.ioctl(self.sock.fileno(), termios.TIOCOUTQ, b"\0" * 4)
        if struct.unpack("i", waiting)[0]:
            return False
        ends = [f"{struct.unpack('=I', socket.inet_aton(host))[0]:08X}:{port:04X}"
                for host, port in (self.sock.getpeername(), self.sock.getsockname())]
        with open("/proc/net/tcp", encoding="ascii") as f:
            lines = [line.split() for line in f]
        return all(words[4].endswith(":00000000") for words in lines if words[1:3] == ends)

    def close(self, reset=False):
        if reset:
            # what was sent has to be read: a reset throws away what waits on both sides
            try:
                for _ in range(5000):
                    if self.all_was_read():
                        break
                    time.sleep(0.002)
            except OSError:
                pass  # the other side is gone
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            try:
                self.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.sock.close()


class Exchange:
    """One request and its answer, with what is to go wrong in it."""

    def __init__(self, connection, request):
        self.connection, self.app, self.request = connection, connection.app, request
        self.client = connection.client
        self.method, self.path = request.first[0], request.first[1]
        self.side = connection.side
        self.faults = {} if self.side else self.app.rules.of(self.method, self.path)
        self.got = self.sent = 0
        self.status, self.noted = 0, False
        self.authorization = request.get("authorization") or "-"
        self.range = request.get("range") or "-"
        if request.get("if-range"):
            self.range += "+if-range"

    def note(self):
        """Before the client can know that it is over: it may look at the log then."""
        if self.noted:
            return
        self.noted = True
        kind, _, value = self.authorization.partition(" ")
        path = re.sub(r"_state=[^&]*", "_state", self.path)
        words = ["side" if self.side else "main", self.method, path, self.status,
                 kind + (":" + value[-12:] if value else ""), self.range.replace(" ", ""),
                 self.got, self.sent]
        self.app.note(words)

    def pace(self, n):
        if "slow" in self.faults:
            time.sleep(n / int(self.faults["slow"]))

    def number(self, name):
        return int(self.faults[name]) if name in self.faults else None

    def answer(self, status, body, headers=()):
        """By the proxy itself; the request's body is not read."""
        self.status = status
        head = Message(["HTTP/1.1", str(status), "By-Proxy"], list(headers))
        head.set("Content-Type", "application/json")
        head.set("Content-Length", str(len(body)))
        self.add_header(head)
        has_body = self.request.get("content-length") not in (None, "0") or \
            self.request.get("transfer-encoding")
        if has_body:
            head.set("Connection", "close")
        self.sent = len(body)
        self.note()
        self.client.sock.sendall(head.bytes() + (b"" if self.method == "HEAD" else body))
        if has_body:
            # a reset would take the answer away from a client that is still sending
            self.client.sock.shutdown(socket.SHUT_WR)
            for _ in self.client.body(self.request, False, False):
                pass
            raise Broken()

    def add_header(self, head):
        if "header" in self.faults:
            name, _, value = str(self.faults["header"]).partition(":")
            head.set(name, value)

    def refuse(self, status, code, message, headers=()):
        if "error" in self.faults:
            code, _, message = str(self.faults["error"]).partition(":")
            message = message.replace("_", " ")
        body = {"errors": [{"code": code, "message": message}]}
        self.answer(status, json.dumps(body).encode(), headers)

    def answered_here(self):
        faults = self.faults
        if "drop" in faults:
            self.end(False)
        if "status" in faults:
            headers = []
            if "retry-after" in faults:
                after = str(faults["retry-after"]).replace("_", " ")
                if after.startswith("date+"):
                    after = email.utils.formatdate(time.time() + int(after[5:]), usegmt=True)
                headers.append(("Retry-After", after))
            self.refuse(int(faults["status"]), "UNKNOWN", "the line is bad", headers)
        elif "no-head" in faults and self.method == "HEAD":
            self.answer(405, b"")
        elif "redirect-to" in faults:
            self.answer(307, b"", [("Location", str(faults["redirect-to"]))])
        elif "redirect" in faults:
            code = 307 if faults["redirect"] is True else int(faults["redirect"])
            self.answer(code, b"", [("Location", self.app.side_url(self.path, self.request))])
        else:
            return False
        return True

    def prepare(self):
        """The request as the registry sees it."""
        request, faults = self.request, self.faults
        if self.side:
            signature = re.search(r"[?&]proxy-sig=(\d+)", self.path)
            said = self.app.said.get(signature.group(1)) if signature else None
            if request.get("authorization"):
                self.refuse(400, "InvalidArgument", "Only one auth mechanism allowed")
                return False
            if said is None:
                self.refuse(403, "AccessDenied", "no such signature")
                return False
            path = self.path.replace(signature.group(0), "", 1)
            request.first[1] = path if "?" in path else path.replace("&", "?", 1)
            if said:
                request.set("Authorization", said)
        if "no-range" in faults:
            request.without("range", "if-range")
        if "no-auth" in faults or self.worn_out():
            request.without("authorization")
        return True

    def worn_out(self):
        uses = self.number("token-uses")
        if uses is None or not self.authorization.startswith("Bearer"):
            return False
        with self.app.lock:
            used = self.app.used.get(self.authorization, 0) + 1
            self.app.used[self.authorization] = used
        return used > uses

    def send_request(self, upstream):
        upstream.sock.sendall(self.request.bytes())
        cut, reset = self.number("truncate-request"), self.number("reset-request")
        stall = self.number("stall-request")
        for wire, data in self.client.body(self.request, False, False):
            for limit, end in ((cut, False), (reset, True), (stall, None)):
                if limit is not None and self.got + len(data) >= limit:
                    upstream.sock.sendall(wire[:limit - self.got])
                    self.got = limit
                    if end is None:
                        time.sleep(600)
                    upstream.close()
                    self.end(end)
            upstream.sock.sendall(wire)
            self.got += len(data)
            self.pace(len(data))

    def end(self, reset):
        self.note()
        self.client.close(reset)
        raise Broken()

    def point_elsewhere(self, head):
        location = head.get("location")
        if not location:
            return
        path = re.sub(r"^https?://[^/]*", "", location)
        how = self.faults.get("location")
        if self.side or how == "side":
            head.set("Location", self.app.side_url(path, self.request))
        elif how == "relative":
            head.set("Location", path)
        else:
            head.set("Location", self.app.main_base + path)

    def send_answer(self, upstream):
        head = upstream.head()
        self.status = int(head.first[1])
        while self.status == 100:
            self.client.sock.sendall(head.bytes())
            head = upstream.head()
            self.status = int(head.first[1])
        if "drop-late" in self.faults:
            self.end(False)
        self.point_elsewhere(head)
        self.add_header(head)
        none = self.method == "HEAD" or self.status in (204, 304)
        total = 0 if none else int(head.get("content-length") or -1)
        if total == 0 or head.get("content-length") == "0":
            self.note()
        self.client.sock.sendall(head.bytes())
        cut, reset, stall = (self.number(n) for n in ("truncate", "reset", "stall"))
        flip = self.number("corrupt")
        for wire, data in upstream.body(head, none, True):
            if flip is not None and self.sent <= flip < self.sent + len(data):
                at = flip - self.sent
                wire = wire[:at] + bytes([wire[at] ^ 1]) + wire[at + 1:]
            for limit, end in ((cut, False), (reset, True), (stall, None)):
                if limit is not None and data and self.sent + len(data) >= limit:
                    self.client.sock.sendall(wire[:limit - self.sent])
                    self.sent = limit
                    if end is None:
                        time.sleep(600)
                    self.end(end)
            self.sent += len(data)
            if self.sent == total:
                self.note()
            self.client.sock.sendall(wire)
            self.pace(len(data))
        return head

    def run(self):
        """Whether the connection goes on."""
        try:
            if self.answered_here() or not self.prepare():
                return True
            upstream = self.connection.upstream()
            self.send_request(upstream)
            head = self.send_answer(upstream)
            if (head.get("connection") or "").lower() == "close" or (
                    head.get("content-length") is None and not head.get("transfer-encoding")
                    and self.method != "HEAD" and self.status not in (204, 304)):
                return False
            return (self.request.get("connection") or "").lower() != "close"
        finally:
            self.note()


class Connection(threading.Thread):
    def __init__(self, app, sock, side, tls):
        super().__init__(daemon=True)
        self.app, self.sock, self.side, self.tls = app, sock, side, tls
        self.client = self.behind = None

    def upstream(self):
        if self.behind is None:
            sock = socket.create_connection(self.app.upstream)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.behind = Stream(sock)
        return self.behind

    def run(self):
        try:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                self.sock = self.tls.wrap_socket(self.sock, server_side=True)
            self.client = Stream(self.sock)
            if self.app.args.raw:
                return self.pass_on()
            going = True
            while going:
                while not self.client.held:
                    self.client.more()
                if self.client.held[0] == 0x16:  # somebody tries TLS
                    break
                going = Exchange(self, self.client.head()).run()
        except (Broken, OSError, ValueError):
            pass
        finally:
            for stream in (self.client, self.behind):
                if stream:
                    try:
                        stream.close()
                    except OSError:
                        pass
        return None

    def pass_on(self):
        faults = self.app.rules.of("", "")
        behind, counts = self.upstream(), {self.sock: 0, self.upstream().sock: 0}
        other = {self.sock: behind.sock, behind.sock: self.sock}
        self.app.note(["open"])
        try:
            while True:
                for sock in select.select(list(other), [], [])[0]:
                    data = sock.recv(PIECE)
                    if not data:
                        raise Broken()
                    if sock is behind.sock:
                        for name in ("truncate", "reset", "stall"):
                            limit = int(faults.get(name, 0))
                            if limit and counts[sock] + len(data) >= limit:
                                other[sock].sendall(data[:limit - counts[sock]])
                                counts[sock] = limit
                                if name == "stall":
                                    time.sleep(600)
                                self.client.close(name == "reset")
                                raise Broken()
                    counts[sock] += len(data)
                    other[sock].sendall(data)
                    if "slow" in faults:
                        time.sleep(len(data) / int(faults["slow"]))
        finally:
            self.app.note(["raw"] + ["-"] * 5 + list(counts.values()))


class App:
    def __init__(self, args):
        self.args, self.rules = args, Rules(args.fault, args.rules)
        host, _, port = args.upstream.rpartition(":")
        self.upstream = (host, int(port))
        self.lock, self.said, self.used = threading.Lock(), {}, {}
        self.tls = None
        if args.tls:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*args.tls)
        plain = any(rule.name == "redirect-http" for rule in self.rules.all())
        self.side_tls = None if plain else self.tls
        self.main, self.side = self.listen(args.port), self.listen(0)
        scheme = "https" if self.tls else "http"
        self.main_base = f"{scheme}://127.0.0.1:{self.main.getsockname()[1]}"
        scheme = "https" if self.side_tls else "http"
        # another host name as well as another port
        self.side_base = f"{scheme}://localhost:{self.side.getsockname()[1]}"

    @staticmethod
    def listen(port):
        sock = socket.create_server(("127.0.0.1", port), backlog=128)
        return sock

    def side_url(self, path, request):
        with self.lock:
            key = str(len(self.said))
            self.said[key] = request.get("authorization") or ""
        return f"{self.side_base}{path}{'&' if '?' in path else '?'}proxy-sig={key}"

    def note(self, words):
        if self.args.log:
            with self.lock, open(self.args.log, "a", encoding="utf-8") as f:
                print(*words, file=f)

    def accept(self, sock, side, tls):
        while True:
            Connection(self, sock.accept()[0], side, tls).start()

    def run(self):
        threading.Thread(target=self.accept, args=(self.side, True, self.side_tls),
                         daemon=True).start()
        ports.tell(self.args.port_file, self.main.getsockname()[1])
        self.accept(self.main, False, self.tls)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file")
    parser.add_argument("--fault", action="append", default=[])
    parser.add_argument("--rules")
    parser.add_argument("--log")
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    parser.add_argument("--raw", action="store_true")
    try:
        App(parser.parse_args()).run()
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
