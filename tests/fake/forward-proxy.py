#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A proxy that leads every host to one port of this machine. Python's standard library only.

    forward-proxy.py --port-file F --to PORT --log FILE [--auth USER:PASSWORD] [--refuse CODE]

CONNECT and plain requests. The log has a line per connection: method, target, status and what
came as Proxy-Authorization and as Authorization, if anything.
"""
import argparse
import base64
import socket
import socketserver
import threading

import ports


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for s in (source, sink):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        args, data = self.server.args, b""
        while b"\r\n\r\n" not in data:
            more = self.request.recv(65536)
            if not more:
                return
            data += more
        head, _, rest = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ")
        headers = {k.lower(): v.strip() for k, _, v in (h.partition(":") for h in lines[1:])}
        given = headers.get("proxy-authorization", "-")
        status = args.refuse or 200
        if args.auth and given != "Basic " + base64.b64encode(args.auth.encode()).decode():
            status = 407
        with self.server.lock, open(args.log, "a", encoding="utf-8") as f:
            print(method, target, status, given.replace(" ", ":"),
                  headers.get("authorization", "-").replace(" ", ":"), file=f)
        if status != 200:
            self.request.sendall(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())
            return
        with socket.create_connection(("127.0.0.1", args.to)) as to:
            if method == "CONNECT":
                self.request.sendall(b"HTTP/1.1 200 Here you are\r\n\r\n")
            else:  # http://host/path: the path is for the server; one request a connection
                path = "/" + target.split("/", 3)[3]
                kept = [h for h in lines[1:] if not h.lower().startswith(("proxy-", "connection"))]
                to.sendall("\r\n".join([f"{method} {path} HTTP/1.1", *kept, "Connection: close",
                                        "", ""]).encode("latin-1"))
            to.sendall(rest)
            threading.Thread(target=pump, args=(to, self.request), daemon=True).start()
            pump(self.request, to)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port-file", required=True)
    parser.add_argument("--to", type=int, required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("--auth")
    parser.add_argument("--refuse", type=int)
    with Server(("127.0.0.1", 0), Handler) as server:
        server.args, server.lock = parser.parse_args(), threading.Lock()
        ports.tell(server.args.port_file, server.server_address[1])
        server.serve_forever()


if __name__ == "__main__":
    main()
