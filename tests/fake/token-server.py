#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A token server for docker-registry's "auth: token", by Docker's token specification: real
tokens (JWT, RS256), signed by openssl with a key and a certificate of its own.

    token-server.py --dir D --port-file F [--life S] [--user NAME:PASSWORD[:RIGHTS]]...
                    [--anonymous RIGHTS] [--refresh-token NAME:TOKEN] [--service NAME]
                    [--port N] [--tls CERT KEY] [--log FILE] [--status CODE[@K]] [--silent-life]

D gets key.pem and cert.pem (made by openssl when they are not there): cert.pem is the
registry's rootcertbundle. The issuer is "fake-issuer", the service "fake".
RIGHTS: "REPOSITORY-GLOB=pull,push;…", "*=pull,push" by default. Without --anonymous nobody
gets a token without a password. The registry's clock is 60 seconds lenient; tokens are made
so that they are refused after S seconds (300) all the same. --silent-life: expires_in is not
said. --status: what every request answers, the first K times.
GET /token with Basic, and POST /token (OAuth2) with grant_type password (access_type=offline
gives a refresh token) or refresh_token.
--log: a line per request: method path status user scopes ("|" between them).
"""
import argparse
import base64
import fnmatch
import http.server
import json
import os
import re
import secrets
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse

import ports

LENIENT_S = 60  # of docker-registry, on "exp" and "nbf"


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Signer:
    def __init__(self, directory):
        self.key = os.path.join(directory, "key.pem")
        cert = os.path.join(directory, "cert.pem")
        if not os.path.exists(cert):
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                 "-subj", "/CN=fake-issuer", "-keyout", self.key, "-out", cert],
                check=True, stderr=subprocess.DEVNULL)
        with open(cert, encoding="ascii") as f:
            self.chain = ["".join(f.read().split("-----")[2].split())]

    def sign(self, claims):
        head = {"typ": "JWT", "alg": "RS256", "x5c": self.chain}
        text = b64url(json.dumps(head).encode()) + "." + b64url(json.dumps(claims).encode())
        done = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key],
                              input=text.encode(), check=True, stdout=subprocess.PIPE)
        return text + "." + b64url(done.stdout)


def rights_of(text):
    """"a/*=pull;b=pull,push" → [(glob, {actions})]"""
    pairs = (part.partition("=") for part in text.split(";"))
    return [(glob, set(actions.split(","))) for glob, _, actions in pairs]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_version = "fake-token-server"

    def log_message(self, *unused):
        pass

    def answer(self, status, document, user="-", scopes=()):
        app = self.server.app
        if app.args.log:
            with app.lock, open(app.args.log, "a", encoding="utf-8") as f:
                print(self.command, urllib.parse.urlsplit(self.path).path, status, user,
                      "|".join(scopes) or "-", file=f)
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, message):
        self.answer(401, {"errors": [{"code": "UNAUTHORIZED", "message": message}],
                          "details": message})

    def access(self, user, scopes):
        rights = self.server.app.rights[user]
        granted = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            may = set()
            for glob, allowed in rights:
                if kind == "repository" and fnmatch.fnmatchcase(name, glob):
                    may |= allowed
            got = [a for a in actions.split(",") if a in may or (a == "*" and "push" in may)]
            if got:
                granted.append({"type": kind, "name": name, "actions": got})
        return granted

    def give(self, user, service, scopes, refresh=None):
        app, now = self.server.app, time.time()
        if service and service != app.args.service:
            return self.answer(400, {"error": "invalid_request", "details": "unknown service"})
        # seconds are whole in tokens: what is left of this one is rounded up
        token = app.signer.sign({
            "iss": "fake-issuer", "sub": user, "aud": app.args.service,
            "exp": int(now + app.args.life - LENIENT_S + 0.999), "nbf": int(now) - 10,
            "iat": int(now), "jti": secrets.token_hex(8),
            "access": self.access(user, scopes)})
        document = {"token": token, "access_token": token}
        if not app.args.silent_life:
            document["expires_in"] = app.args.life
            document["issued_at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
        if refresh:
            document["refresh_token"] = refresh
        return self.answer(200, document, user or "anonymous", scopes)

    def trouble(self):
        app = self.server.app
        if not app.args.status:
            return False
        code, _, times = app.args.status.partition("@")
        with app.lock:
            app.troubles += 1
            if times and app.troubles > int(times):
                return False
        self.answer(int(code), {"details": "the token server is in trouble"})
        return True

    def do_GET(self):
        app = self.server.app
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        if self.trouble():
            return None
        if url.path != "/token":
            return self.answer(404, {"details": "no such page"})
        kind, _, value = (self.headers.get("Authorization") or "").partition(" ")
        user = ""
        if kind == "Basic":
            user, _, password = base64.b64decode(value).decode().partition(":")
            if app.passwords.get(user) != password or user not in app.passwords:
                return self.refuse("incorrect username or password")
        elif "" not in app.rights:
            return self.refuse("a password is needed")
        refresh = app.new_refresh(user) if user and "offline_token" in query else None
        scopes = [s for text in query.get("scope", []) for s in text.split(" ")]
        return self.give(user, query.get("service", [""])[0], scopes, refresh)

    def do_POST(self):
        app = self.server.app
        length = int(self.headers.get("Content-Length") or 0)
        form = {k: v[0] for k, v in
                urllib.parse.parse_qs(self.rfile.read(length).decode()).items()}
        if self.trouble():
            return None
        refresh = form.get("refresh_token")
        if form.get("grant_type") == "refresh_token":
            user = app.refresh.get(refresh)
            if user is None:
                return self.refuse("bad refresh token")
        else:
            user = form.get("username", "")
            if app.passwords.get(user) != form.get("password") or user not in app.passwords:
                return self.refuse("incorrect username or password")
            refresh = None
            if form.get("access_type") == "offline":
                refresh = app.new_refresh(user)
        scopes = [s for s in form.get("scope", "").split(" ") if s]
        return self.give(user, form.get("service", ""), scopes, refresh)


class App:
    def __init__(self, args):
        self.args, self.lock, self.troubles = args, threading.Lock(), 0
        os.makedirs(args.dir, exist_ok=True)
        self.signer = Signer(args.dir)
        self.passwords, self.rights, self.refresh = {}, {}, {}
        for text in args.user:
            name, password, rights = re.fullmatch(r"([^:]*):([^:]*)(?::(.*))?", text).groups()
            self.passwords[name] = password
            self.rights[name] = rights_of(rights or "*=pull,push")
        if args.anonymous:
            self.rights[""] = rights_of(args.anonymous)
        for text in args.refresh_token:
            name, _, token = text.partition(":")
            self.refresh[token] = name
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", args.port), Handler)
        self.server.app = self
        if args.tls:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(*args.tls)
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)

    def new_refresh(self, user):
        token = secrets.token_urlsafe(18)
        self.refresh[token] = user
        return token

    def run(self):
        ports.tell(self.args.port_file, self.server.server_port)
        self.server.serve_forever()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file")
    parser.add_argument("--life", type=int, default=300)
    parser.add_argument("--silent-life", action="store_true")
    parser.add_argument("--user", action="append", default=[])
    parser.add_argument("--anonymous")
    parser.add_argument("--refresh-token", action="append", default=[])
    parser.add_argument("--service", default="fake")
    parser.add_argument("--status")
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    parser.add_argument("--log")
    try:
        App(parser.parse_args()).run()
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
