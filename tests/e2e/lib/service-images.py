#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Images of real services, as an OCI layout: nginx, redis and PostgreSQL out of Debian's packages.

    service-images.py PACKAGES LAYOUT

PACKAGES is where scripts/install-deps has unpacked them. Tags: web:1 and web:2 (nginx, and a
backend behind it that asks the other two), cache:1, db:1. Each is a layer of what its program
needs, which ldd tells, over one that they share; its entrypoint makes a new data directory ready,
as the published images' do. Nothing is compressed: that would take longer than all the rest.
"""
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile

POSTGRES = "/usr/lib/postgresql/15"
PASSWD = """root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/sh
redis:x:998:998:redis:/data:/bin/sh
postgres:x:999:999:postgres:/var/lib/postgresql:/bin/sh
"""
GROUP = "root:x:0:\nnogroup:x:65534:\nredis:x:998:\npostgres:x:999:\n"

NGINX = """daemon off;
pid /run/nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path /tmp;
    server {
        listen 80;
        location = /version { return 200 "web $version\\n"; }
        location / { proxy_pass http://127.0.0.1:8081; }
    }
}
"""
# every look at the page is counted by the cache and written into the database
PAGE = """#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
hits=$(redis-cli -h "${CACHE_HOST:-cache}" incr hits 2>&1)
rows=$(PGPASSWORD=$DB_PASSWORD PGOPTIONS='-c client_min_messages=warning' psql -h "${DB_HOST:-db}" -U postgres -qtA -c 'create table if not exists visits (at timestamptz)' \\
    -c 'insert into visits values (now())' -c 'select count(*) from visits' 2>&1)
echo "hits=$hits rows=$rows greeting=${GREETING:-none}"
"""
WEB = """#!/bin/sh
set -e
[ -f /etc/nginx/nginx.conf ] || { echo "no /etc/nginx/nginx.conf" >&2; exit 1; }
/usr/sbin/nginx -q -t -c /etc/nginx/nginx.conf
/bin/busybox httpd -p 127.0.0.1:8081 -h /srv
exec /usr/sbin/nginx -c /etc/nginx/nginx.conf
"""
CACHE = """#!/bin/sh
set -e
mkdir -p /data
chown redis:redis /data
cd /data
exec su redis -c 'exec redis-server --bind "* -::*" --protected-mode no --save "" "$@"' redis "$@"
"""
DB = """#!/bin/sh
set -e
: "${PGDATA:=/var/lib/postgresql/data}"
export PGDATA PATH=%s/bin:/usr/bin:/bin
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    [ -n "$POSTGRES_PASSWORD$POSTGRES_PASSWORD_FILE" ] || {
        echo "Error: Database is uninitialized and superuser password is not specified." >&2
        exit 1
    }
    mkdir -p "$PGDATA"
    chown postgres:postgres "$PGDATA"
    chmod 700 "$PGDATA"
    if [ -n "$POSTGRES_PASSWORD_FILE" ]; then cat "$POSTGRES_PASSWORD_FILE"; else echo "$POSTGRES_PASSWORD"; fi >/tmp/pw
    chown postgres /tmp/pw
    su postgres -c 'initdb -N --no-instructions --locale=C -E UTF8 -A scram-sha-256 --pwfile=/tmp/pw >/dev/null'
    rm /tmp/pw
    echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
fi
mkdir -p /run/postgresql
chown postgres /run/postgresql
exec su postgres -c 'exec postgres -c listen_addresses="*" -c unix_socket_directories=/run/postgresql -c fsync=off -c shared_buffers=16MB "$@"' postgres "$@"
""" % POSTGRES


class Tree:
    """A layer's tar in the making."""

    def __init__(self, packages, below=None):
        self.packages, self.names = packages, set(below.names if below else ())
        self.out = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.out, mode="w", format=tarfile.PAX_FORMAT)

    def put(self, name, mode=0o755, data=None, link=None):
        if name.strip("/") in self.names or not name.strip("/"):
            return
        self.names.add(name.strip("/"))
        self.put(os.path.dirname(name))
        info = tarfile.TarInfo(name.strip("/"))
        info.mode = mode
        if link:
            info.type, info.linkname = tarfile.SYMTYPE, link
        elif data is None:
            info.type = tarfile.DIRTYPE
        else:
            info.size = len(data)
        self.tar.addfile(info, io.BytesIO(data or b""))

    def file(self, source, name):
        with open(source, "rb") as file:
            self.put(name, 0o755 if os.access(source, os.X_OK) else 0o644, file.read())

    def libraries(self, path):
        """Under the names that the loader asks for."""
        words = subprocess.check_output(["ldd", self.packages + path], text=True)
        for library in re.findall(r"(/\S+\.so\S*)", words):
            self.file(library, library)

    def program(self, path, name=None):
        self.file(self.packages + path, name or path)
        self.libraries(path)

    def directory(self, path, but=""):
        for where, _, names in os.walk(self.packages + path):
            for name in names:
                whole = os.path.join(where, name)
                if not (but and re.search(but, whole)) and os.path.isfile(whole):
                    self.file(whole, whole[len(self.packages):])

    def text(self, name, text, mode=0o644):
        self.put(name, mode, text.encode())

    def bytes(self):
        self.tar.close()
        return self.out.getvalue()


def base(packages):
    tree = Tree(packages)
    tree.file("/bin/busybox", "/bin/busybox")
    for applet in subprocess.check_output(["/bin/busybox", "--list"], text=True).split():
        tree.put("/bin/" + applet, link="busybox")
    tree.put("/tmp", 0o1777)
    tree.put("/run")
    tree.put("/var/run", link="../run")
    tree.text("/etc/passwd", PASSWD)
    tree.text("/etc/group", GROUP)
    tree.text("/etc/nsswitch.conf", "hosts: files dns\n")
    for path in ("/usr/sbin/nginx", "/usr/bin/redis-check-rdb", POSTGRES + "/bin/psql"):
        tree.libraries(path)
    return tree


def web(packages, ground):
    tree = Tree(packages, ground)
    tree.program("/usr/sbin/nginx")
    tree.program("/usr/bin/redis-cli")
    tree.program(POSTGRES + "/bin/psql", "/usr/bin/psql")
    tree.put("/var/log/nginx")
    tree.put("/var/lib/nginx")
    tree.text("/srv/cgi-bin/page", PAGE, 0o755)
    tree.text("/entrypoint", WEB, 0o755)
    return tree.bytes()


def web_version(packages, version):
    tree = Tree(packages)
    tree.text("/etc/nginx/nginx.conf", NGINX.replace("$version", version))
    return tree.bytes()


def cache(packages, ground):
    tree = Tree(packages, ground)
    tree.program("/usr/bin/redis-check-rdb", "/usr/bin/redis-server")  # it looks at its name
    tree.program("/usr/bin/redis-cli")
    tree.text("/entrypoint", CACHE, 0o755)
    return tree.bytes()


def database(packages, ground):
    tree = Tree(packages, ground)
    for name in ("postgres", "initdb", "psql", "pg_isready"):
        tree.program(POSTGRES + "/bin/" + name)
    tree.directory(POSTGRES + "/lib", "llvm|bitcode|pgxs")
    tree.directory("/usr/share/postgresql/15", "/(man|locale|extension/(?!plpgsql))")
    tree.file("/usr/share/zoneinfo/UTC", "/usr/share/zoneinfo/UTC")
    tree.file("/usr/share/zoneinfo/UTC", "/usr/share/zoneinfo/GMT")
    tree.text("/entrypoint", DB, 0o755)
    return tree.bytes()


class Layout:
    def __init__(self, path):
        self.path, self.manifests = path, []
        os.makedirs(path + "/blobs/sha256", exist_ok=True)
        with open(path + "/oci-layout", "w", encoding="utf-8") as file:
            file.write('{"imageLayoutVersion":"1.0.0"}')

    def add(self, data, kind):
        if not isinstance(data, bytes):
            data = json.dumps(data).encode()
        digest = hashlib.sha256(data).hexdigest()
        with open(self.path + "/blobs/sha256/" + digest, "wb") as file:
            file.write(data)
        return {"mediaType": "application/vnd.oci.image." + kind, "digest": "sha256:" + digest,
                "size": len(data)}

    def image(self, tag, layers, config):
        blobs = [self.add(layer, "layer.v1.tar") for layer in layers]
        arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
        document = {"architecture": arch, "os": "linux", "config": config,
                    "rootfs": {"type": "layers", "diff_ids": [b["digest"] for b in blobs]}}
        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                    "config": self.add(document, "config.v1+json"), "layers": blobs}
        entry = self.add(manifest, "manifest.v1+json")
        entry["annotations"] = {"org.opencontainers.image.ref.name": tag}
        self.manifests.append(entry)

    def close(self):
        index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
                 "manifests": self.manifests}
        with open(self.path + "/index.json", "w", encoding="utf-8") as file:
            json.dump(index, file)


def main(packages, path):
    layout, ground = Layout(path), base(packages)
    env, front, below = ["PATH=/usr/bin:/usr/sbin:/bin"], web(packages, ground), ground.bytes()
    for version in ("1", "2"):
        layout.image("web:" + version, [below, front, web_version(packages, version)], {
            "Entrypoint": ["/entrypoint"], "Env": env, "ExposedPorts": {"80/tcp": {}}})
    layout.image("cache:1", [below, cache(packages, ground)], {
        "Entrypoint": ["/entrypoint"], "Env": env, "ExposedPorts": {"6379/tcp": {}},
        "Volumes": {"/data": {}}})
    layout.image("db:1", [below, database(packages, ground)], {
        "Entrypoint": ["/entrypoint"],
        "Env": [env[0] + ":" + POSTGRES + "/bin", "PGDATA=/var/lib/postgresql/data"],
        "ExposedPorts": {"5432/tcp": {}}, "StopSignal": "SIGINT",
        "Volumes": {"/var/lib/postgresql/data": {}}})
    layout.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
