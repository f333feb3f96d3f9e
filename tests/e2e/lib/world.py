#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""world.py DNS_NAME IPV4 IPV6 FILE: the world as containers see it.

On port 8080 of both addresses an HTTP server answers with who asked; on UDP port 53 of the
IPv4 one a DNS server knows DNS_NAME, and no other name. Begins when FILE is there, that is
when the addresses are; says "ready" then.
"""
import http.server
import os
import socket
import socketserver
import struct
import sys
import threading
import time

name, ipv4, ipv6, go = sys.argv[1:5]


class WhoAsked(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = self.client_address[0].encode() + b"\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


class Server6(Server):
    address_family = socket.AF_INET6


def answer(query):
    """RFC 1035: the question again, and an A or AAAA record when it is about our name."""
    ident, _, questions = struct.unpack("!HHH", query[:6])
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode())
        at += 1 + query[at]
    question = query[12 : at + 5]
    kind = struct.unpack("!H", query[at + 1 : at + 3])[0]
    known = questions == 1 and ".".join(labels).lower() == name
    data = b""
    if known and kind == 1:
        data = socket.inet_aton(ipv4)
    elif known and kind == 28:
        data = socket.inet_pton(socket.AF_INET6, ipv6)
    head = struct.pack("!HHHHHH", ident, 0x8580 if known else 0x8583, 1, bool(data), 0, 0)
    record = b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 1, len(data)) + data if data else b""
    return head + question + record


def serve_names(sock):
    while True:
        query, who = sock.recvfrom(512)
        try:
            sock.sendto(answer(query), who)
        except (struct.error, IndexError, UnicodeDecodeError):
            pass


while not os.path.exists(go):
    time.sleep(0.02)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind((ipv4, 53))
servers = [Server((ipv4, 8080), WhoAsked), Server6((ipv6, 8080), WhoAsked)]
threading.Thread(target=serve_names, args=(udp,), daemon=True).start()
threading.Thread(target=servers[1].serve_forever, daemon=True).start()
print("ready", flush=True)
servers[0].serve_forever()
