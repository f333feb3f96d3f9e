#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A registry that misbehaves on demand. Python's standard library only.

    registry.py --port 0 --port-file F --dir LAYOUT [--fault NAME[=ARG][@K]]... [options]

Serves the images of an OCI layout directory (umoci, skopeo "oci:DIR:TAG"): when DIR itself has
an index.json every repository name gives that layout, else DIR/<repository> is looked up.
The port is told at the port file (ports.py) when connections are accepted.

A fault with @K happens the first K times per path, otherwise always:
    status=CODE         manifests and blobs answer CODE       manifest-status=, blob-status=
    retry-after=TEXT    goes with the status (seconds or an HTTP date)
    error=CODE:MESSAGE  the words in the refusal's JSON; error-raw=TEXT: the whole body
    wrong-digest        one byte of every blob is changed
    wrong-manifest      a blank more in front of every manifest that is asked for by digest
    longer=N, shorter=N blobs have N bytes more or fewer, Content-Length says so too
    longer-chunked=N    N bytes more, without a Content-Length
    truncate=N          the connection is closed after N bytes of a blob
    reset=N             the same with a TCP reset
    drop                the connection is closed without an answer
    stall=N             nothing more comes after N bytes of a blob
    slow=N              N bytes a second
    delay=MS            before each answer
    no-range            Range is ignored            bad-range: another part is sent
    etag[=TEXT]         blobs have a strong ETag, which If-Range must name; W/TEXT: a weak one
    range-refused       Range is answered with 416
    redirect            blobs lie on another port, which wants no Authorization: logged as "side"
    redirect-http       (with --tls) the other port speaks plain HTTP
    redirect-to=URL     blobs and manifests are redirected there        redirect-loop
    redirect-status=CODE instead of its 307
    unasked-part        blobs that were asked for whole come as the part (206) that is all
    head-refused[=CODE] HEAD answers 405
    no-digest-header, wrong-digest-header
    content-type=TYPE   of manifests
    manifest=FILE       these bytes are the manifest of every tag
    huge-manifest       5 MiB of blanks come first
    garbage             not HTTP
    challenge=TEXT      the WWW-Authenticate header of a 401
    realm=URL           of the token server                token-status=CODE
    token-bad           the token server's answer has no token
Options: --auth basic|token --user U --password P (token without a user: anonymous);
    --token-life S; --refresh-token T (accepted by POST, given to whoever asks for an offline token); --tls CERT KEY;
    --client-ca FILE: the client must show a certificate of it, except at the other port, where
    one is logged as "side+certificate"; --old-tls: TLS 1.1 is all it
    speaks; --log FILE: a line per request: side method path status authorization range.
"""
import argparse
import base64
import hashlib
import http.server
import json
import os
import re
import socket
import ssl
import struct
import sys
import threading
import time
import urllib.parse
import warnings

import ports

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


FAULTS = set(re.findall(r"[a-z]+(?:-[a-z0-9]+)*", """
    status manifest-status blob-status retry-after error error-raw wrong-digest wrong-manifest
    longer shorter longer-chunked truncate reset drop stall slow delay no-range bad-range etag
    range-refused
    redirect redirect-http redirect-to redirect-loop redirect-status unasked-part head-refused no-digest-header
    wrong-digest-header content-type manifest huge-manifest garbage challenge realm
    token-status token-bad"""))


class Faults:
    def __init__(self, texts):
        self.faults, self.counts, self.lock = {}, {}, threading.Lock()
        for text in texts:
            match = re.fullmatch(r"([a-z0-9-]+)(?:=(.*?))?(?:@(\d+))?", text, re.S)
            if not match or match.group(1) not in FAULTS:
                sys.exit(f"registry.py: no such fault: {text}")
            name, arg, times = match.groups()
            self.faults[name] = (arg or True, int(times) if times else 0)

    def get(self, name, path=""):
        """The argument of a fault that is to happen now, else None."""
        if name not in self.faults:
            return None
        arg, times = self.faults[name]
        if times:
            with self.lock:
                seen = self.counts.get((name, path), 0)
                self.counts[(name, path)] = seen + 1
            if seen >= times:
                return None
        return arg


class Layouts:
    def __init__(self, top):
        self.top = top

    def dir(self, repository):
        if os.path.exists(os.path.join(self.top, "index.json")):
            return self.top
        path = os.path.join(self.top, repository)
        return path if os.path.exists(os.path.join(path, "index.json")) else None

    def blob_path(self, repository, digest):
        directory = self.dir(repository)
        match = re.fullmatch(r"sha256:([0-9a-f]{64})", digest)
        if not directory or not match:
            return None
        path = os.path.join(directory, "blobs", "sha256", match.group(1))
        return path if os.path.exists(path) else None

    def manifest(self, repository, reference):
        """(bytes, media type) of a tag or a digest, or None."""
        directory = self.dir(repository)
        if not directory:
            return None
        with open(os.path.join(directory, "index.json"), encoding="utf-8") as f:
            entries = json.load(f)["manifests"]
        digest, media = reference, None
        for entry in entries:
            name = entry.get("annotations", {}).get("org.opencontainers.image.ref.name")
            if reference in (name, entry["digest"]):
                digest, media = entry["digest"], entry.get("mediaType")
                break
        path = self.blob_path(repository, digest)
        if not path:
            return None
        with open(path, "rb") as f:
            data = f.read()
        if not media:
            media = json.loads(data).get("mediaType", MANIFEST_TYPE)
        return data, media


class Tokens:
    def __init__(self, life):
        self.life, self.valid, self.lock = life, {}, threading.Lock()

    def new(self):
        token = base64.urlsafe_b64encode(os.urandom(18)).decode()
        with self.lock:
            self.valid[token] = time.monotonic() + self.life
        return token

    def good(self, token):
        with self.lock:
            return self.valid.get(token, 0) > time.monotonic()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes
    server_version = "fake-registry"

    def log_message(self, *unused):
        pass

    # --- answers ---

    def certificate(self):
        """Whether the other port was shown one, which is only its own port's business."""
        side_tls = self.server.side == "side" and self.server.tls
        return "+certificate" if side_tls and self.connection.getpeercert() else ""

    def note(self, status):
        app = self.server.app
        if not app.log:
            return
        with app.log_lock, open(app.log, "a", encoding="utf-8") as f:
            print(self.server.side + self.certificate(), self.command, self.path, status,
                  (self.headers.get("Authorization") or "-").replace(" ", ":"),
                  (self.headers.get("Range") or "-").replace(" ", "") +
                  ("+if-range" if self.headers.get("If-Range") else ""), file=f)

    def answer(self, status, body=b"", kind="application/json", headers=()):
        self.note(status)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status, code, message, headers=()):
        faults = self.server.app.faults
        words = faults.get("error")
        if words:
            code, _, message = str(words).partition(":")
        raw = faults.get("error-raw")
        body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        self.answer(status, str(raw).encode() if raw else body, headers=headers)

    def close_now(self, reset=False):
        self.close_connection = True
        self.wfile.flush()
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                       struct.pack("ii", 1, 0))
        else:
            try:
                self.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.connection.close()

    # --- who is it ---

    def challenge(self):
        app = self.server.app
        text = app.faults.get("challenge")
        if text is None and app.args.auth == "basic":
            text = 'Basic realm="fake"'
        if text is None:
            realm = app.faults.get("realm") or f"{app.base}/token"
            text = (f'Bearer realm="{realm}",service="fake",'
                    f'scope="repository:{self.repository}:pull"')
        self.refuse(401, "UNAUTHORIZED", "authentication required",
                    [("WWW-Authenticate", str(text))])

    def allowed(self):
        args, app = self.server.app.args, self.server.app
        if not args.auth:
            return True
        kind, _, value = (self.headers.get("Authorization") or "").partition(" ")
        if args.auth == "basic":
            pair = base64.b64encode(f"{args.user}:{args.password}".encode()).decode()
            return kind == "Basic" and value == pair
        return kind == "Bearer" and app.tokens.good(value)

    def token(self):
        args, app = self.server.app.args, self.server.app
        status = app.faults.get("token-status", "token")
        if status:
            return self.refuse(int(status), "DENIED", "no token for you")
        if self.command == "POST":
            length = int(self.headers.get("Content-Length") or 0)
            form = urllib.parse.parse_qs(self.rfile.read(length).decode())
            if form.get("refresh_token") != [args.refresh_token]:
                return self.refuse(401, "UNAUTHORIZED", "bad refresh token")
        elif args.user:
            pair = base64.b64encode(f"{args.user}:{args.password}".encode()).decode()
            if self.headers.get("Authorization") != "Basic " + pair:
                return self.refuse(401, "UNAUTHORIZED", "incorrect username or password")
        answer = {"token": app.tokens.new(), "expires_in": args.token_life}
        if args.refresh_token and "offline_token=true" in self.path:
            answer["refresh_token"] = args.refresh_token
        if app.faults.get("token-bad"):
            answer = {"token": "two words\r\nX-Evil: 1"}
        return self.answer(200, json.dumps(answer).encode())

    # --- what is wanted ---

    def route(self):
        app = self.server.app
        faults = app.faults
        delay = faults.get("delay", self.path)
        if delay:
            time.sleep(int(delay) / 1000)
        if faults.get("garbage", self.path):
            self.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
            return self.close_now()
        if faults.get("drop", self.path):
            self.note(0)
            return self.close_now()
        path = urllib.parse.urlsplit(self.path).path
        if path == "/token":
            return self.token()
        match = re.fullmatch(r"/v2/(.+)/(manifests|blobs)/([^/]+)", path)
        self.repository = match.group(1) if match else ""
        if self.server.side == "main" and not self.allowed():
            return self.challenge()
        kind, reference = (match.group(2), match.group(3)) if match else ("", "")
        status = (faults.get("status", self.path) or
                  kind and faults.get("manifest-status" if kind == "manifests" else "blob-status",
                                      self.path))
        if status:
            after = faults.get("retry-after")
            headers = [("Retry-After", str(after))] if after else []
            return self.refuse(int(status), "DENIED" if status == "403" else "UNKNOWN",
                               "requested access to the resource is denied", headers)
        if path == "/v2/":
            return self.answer(200, b"{}")
        if not match:
            return self.refuse(404, "NOT_FOUND", "no such page")
        to = faults.get("redirect-to", self.path)
        if to:
            code = int(faults.get("redirect-status") or 307)
            return self.answer(code, headers=[("Location", str(to))])
        if faults.get("redirect-loop"):
            return self.answer(302, headers=[("Location", self.path)])
        if kind == "manifests":
            return self.manifest(reference)
        return self.blob(reference)

    def manifest(self, reference):
        app = self.server.app
        faults = app.faults
        refused = faults.get("head-refused")
        if self.command == "HEAD" and refused:
            return self.answer(405 if refused is True else int(refused))
        found = app.layouts.manifest(self.repository, reference)
        replaced = faults.get("manifest")
        if replaced and not reference.startswith("sha256:"):
            with open(str(replaced), "rb") as f:
                data = f.read()
            try:
                kind = json.loads(data).get("mediaType", MANIFEST_TYPE)
            except ValueError:
                kind = MANIFEST_TYPE
            found = data, kind
        if not found:
            return self.refuse(404, "MANIFEST_UNKNOWN", "manifest unknown")
        data, kind = found
        if faults.get("wrong-manifest") and reference.startswith("sha256:"):
            data = b" " + data
        if faults.get("huge-manifest"):
            data = b" " * (5 << 20) + data
        headers = []
        if not faults.get("no-digest-header"):
            told = b"another" if faults.get("wrong-digest-header") else data
            headers = [("Docker-Content-Digest", "sha256:" + hashlib.sha256(told).hexdigest())]
        return self.answer(200, data, str(faults.get("content-type") or kind), headers)

    def blob(self, digest):
        app = self.server.app
        faults = app.faults
        path = app.layouts.blob_path(self.repository, digest)
        if not path:
            return self.refuse(404, "BLOB_UNKNOWN", "blob unknown to registry")
        if self.server.side == "main" and (faults.get("redirect") or faults.get("redirect-http")):
            return self.answer(307, headers=[("Location", app.side_base + self.path + "?sig=1")])
        size = os.path.getsize(path)
        start, status, headers = 0, 200, []
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        etag = faults.get("etag")
        if etag:
            tag = f'"{digest[-12:] if etag is True else etag}"'
            if tag.startswith('"W/'):
                tag = 'W/"' + tag[3:]
            headers = [("ETag", tag)]
            if self.headers.get("If-Range") not in (None, tag):
                wanted = None
        if wanted and faults.get("range-refused"):
            return self.refuse(416, "RANGE_INVALID", "invalid content range")
        if wanted and not faults.get("no-range"):
            start, status = int(wanted.group(1)), 206
            told = start + 1 if faults.get("bad-range") else start
            headers.append(("Content-Range", f"bytes {told}-{size - 1}/{size}"))
        if not wanted and faults.get("unasked-part"):
            status = 206
            headers.append(("Content-Range", f"bytes 0-{size - 1}/{size}"))
        with open(path, "rb") as f:
            f.seek(start)
            self.body(f, size - start, status, headers)

    def body(self, f, length, status, headers):
        faults = self.server.app.faults
        total = length
        if faults.get("longer", self.path):
            total += int(faults.faults["longer"][0])
        if faults.get("shorter", self.path):
            total -= int(faults.faults["shorter"][0])
        chunked = faults.get("longer-chunked", self.path)
        if chunked:
            total += int(chunked)
        flip = faults.get("wrong-digest", self.path)
        cut, reset = faults.get("truncate", self.path), False
        if cut is None:
            cut = faults.get("reset", self.path)
            reset = cut is not None
        stall, slow = faults.get("stall", self.path), faults.get("slow", self.path)
        self.note(status)
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream")
        for name, value in headers:
            self.send_header(name, value)
        if chunked:
            self.send_header("Connection", "close")
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(total))
        self.end_headers()
        if self.command == "HEAD":
            return
        sent = 0
        while sent < total:
            data = f.read(65536 if not slow else max(1, int(slow) // 20))
            data = data or b"\0" * min(65536, total - sent)
            data = data[:total - sent]
            if flip and sent == 0:
                data = bytes([data[0] ^ 1]) + data[1:]
            if cut is not None and sent + len(data) >= int(cut):
                self.wfile.write(data[:int(cut) - sent])
                return self.close_now(reset)
            if stall is not None and sent + len(data) >= int(stall):
                self.wfile.write(data[:int(stall) - sent])
                self.wfile.flush()
                time.sleep(600)
            self.wfile.write(data)
            sent += len(data)
            if slow:
                self.wfile.flush()
                time.sleep(0.05)

    def guarded(self):
        try:
            self.route()
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True

    do_GET = do_HEAD = do_POST = guarded

    def do_PUT(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.guarded()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, app, side, port, tls):
        super().__init__(("127.0.0.1", port), Handler)
        self.app, self.side, self.tls = app, side, None
        if tls:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*tls)
            if app.args.old_tls:
                warnings.simplefilter("ignore", DeprecationWarning)
                self.tls.set_ciphers("ALL:@SECLEVEL=0")
                self.tls.minimum_version = ssl.TLSVersion.TLSv1
                self.tls.maximum_version = ssl.TLSVersion.TLSv1_1
            if app.args.client_ca:
                self.tls.verify_mode = ssl.CERT_REQUIRED if side == "main" else ssl.CERT_OPTIONAL
                # In 1.3 the refusal comes after the request was sent, and closing on bytes
                # that nobody read may take the alert away before it is heard.
                self.tls.maximum_version = ssl.TLSVersion.TLSv1_2
                self.tls.load_verify_locations(app.args.client_ca)

    def finish_request(self, request, client_address):
        # the handshake belongs to the connection's own thread, not to the accepting one
        if self.tls:
            try:
                request = self.tls.wrap_socket(request, server_side=True)
            except (OSError, ssl.SSLError):
                return
        super().finish_request(request, client_address)

    def handle_error(self, *unused):
        pass


class App:
    def __init__(self, args):
        self.args, self.log, self.log_lock = args, args.log, threading.Lock()
        self.faults, self.layouts = Faults(args.fault), Layouts(args.dir)
        self.tokens = Tokens(args.token_life)
        self.main = Server(self, "main", args.port, args.tls)
        plain = self.faults.get("redirect-http")
        self.side = Server(self, "side", 0, None if plain else args.tls)
        scheme = "https" if args.tls else "http"
        self.base = f"{scheme}://127.0.0.1:{self.main.server_port}"
        # another host name as well as another port
        side_scheme = "http" if plain else scheme
        self.side_base = f"{side_scheme}://localhost:{self.side.server_port}"

    def run(self):
        threading.Thread(target=self.side.serve_forever, daemon=True).start()
        ports.tell(self.args.port_file, self.main.server_port)
        self.main.serve_forever()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file")
    parser.add_argument("--dir", required=True)
    parser.add_argument("--fault", action="append", default=[])
    parser.add_argument("--auth", choices=["basic", "token"])
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--refresh-token")
    parser.add_argument("--token-life", type=float, default=300)
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    parser.add_argument("--client-ca", metavar="FILE")
    parser.add_argument("--old-tls", action="store_true")
    parser.add_argument("--log")
    try:
        App(parser.parse_args()).run()
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
