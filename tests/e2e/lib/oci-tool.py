#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Changes an image of an OCI layout into one that no tool would make, and pushes it as it is.

usage: oci-tool.py push LAYOUT TAG REGISTRY NAME:TAG [CHANGE]...

CHANGEs, applied in order:
  zstd | none | gzip-members     every layer again in this form (gzip-members: several
                                 concatenated gzip members, with NUL padding behind)
  chunked                        zstd:chunked, as skopeo makes it
  truncate                       the last third of each layer's blob is missing
  trailing-zeros                 zeros after the end of each tar
  diffid                         the config names another diffID for the last layer
  few-diffids                    the config names one diffID less
  layer-type=TYPE                media type of every layer
  config:KEY=JSON                a member of the config's "config"
  arch=ARCH                      the config's architecture
  index=ARCH[,ARCH]              push as an index that has this image for each ARCH
Blobs and manifests get the digests and sizes of what they are.
"""
import gzip
import hashlib
import http.client
import json
import os
import subprocess
import sys
import tempfile

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Image:
    def __init__(self, layout, tag):
        self.layout, self.tag = layout, tag
        with open(os.path.join(layout, "index.json"), encoding="utf-8") as file:
            index = json.load(file)
        entry = next(m for m in index["manifests"] if
                     m.get("annotations", {}).get("org.opencontainers.image.ref.name") == tag)
        self.manifest = json.loads(self.blob(entry["digest"]))
        self.config = json.loads(self.blob(self.manifest["config"]["digest"]))
        self.layers = [self.blob(d["digest"]) for d in self.manifest["layers"]]
        self.types = [d["mediaType"] for d in self.manifest["layers"]]
        self.index = []

    def blob(self, name):
        with open(os.path.join(self.layout, "blobs", *name.split(":")), "rb") as file:
            return file.read()

    def tar(self, i):
        data = self.layers[i]
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data

    def chunked(self):
        with tempfile.TemporaryDirectory() as made:
            subprocess.run(["skopeo", "copy", "-q", "--insecure-policy", "--dest-compress-format",
                            "zstd:chunked", f"oci:{self.layout}:{self.tag}", f"oci:{made}:x"],
                           check=True)
            return Image(made, "x").layers

    def change(self, what):
        name, _, value = what.partition("=")
        count = range(len(self.layers))
        diff_ids = self.config["rootfs"]["diff_ids"]
        if name == "zstd":
            self.layers = [subprocess.run(["zstd", "-qc", "-3"], input=self.tar(i), check=True,
                                          stdout=subprocess.PIPE).stdout for i in count]
            self.types = [LAYER + "+zstd"] * len(self.layers)
        elif name == "none":
            self.layers = [self.tar(i) for i in count]
            self.types = [LAYER] * len(self.layers)
        elif name == "gzip-members":
            self.layers = [b"".join(gzip.compress(self.tar(i)[at:at + 100_000], 1)
                                    for at in range(0, len(self.tar(i)), 100_000)) + bytes(512)
                           for i in count]
        elif name == "chunked":
            self.layers = self.chunked()
            self.types = [LAYER + "+zstd"] * len(self.layers)
            # Debian 12's loses the last zeros of the tar on the way, and does not say so
            diff_ids[:] = [digest(subprocess.run(["zstd", "-qdc"], input=data, check=True,
                                                 stdout=subprocess.PIPE).stdout)
                           for data in self.layers]
        elif name == "truncate":
            self.layers = [data[:len(data) * 2 // 3] for data in self.layers]
        elif name == "trailing-zeros":
            tars = [self.tar(i) + bytes(1 << 20) for i in count]
            diff_ids[:] = [digest(t) for t in tars]
            self.layers = [gzip.compress(t, 1) for t in tars]
        elif name == "diffid":
            diff_ids[-1] = digest(b"another")
        elif name == "few-diffids":
            diff_ids.pop()
        elif name == "layer-type":
            self.types = [value] * len(self.layers)
        elif name.startswith("config:"):
            self.config.setdefault("config", {})[name[7:]] = json.loads(value)
        elif name == "arch":
            self.config["architecture"] = value
        elif name == "index":
            self.index = value.split(",")
        else:
            sys.exit(f"unknown change: {what}")


def push(registry, repository, tag, image):
    connection = http.client.HTTPConnection(registry, timeout=60)

    def ask(method, path, body=None, headers=None, want=(200, 201, 202)):
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        data = answer.read()
        if answer.status not in want:
            sys.exit(f"{method} {path}: {answer.status} {data.decode()}")
        return answer

    def blob(data):
        name = digest(data)
        if ask("HEAD", f"/v2/{repository}/blobs/{name}", want=(200, 404)).status == 404:
            where = ask("POST", f"/v2/{repository}/blobs/uploads/").headers["Location"]
            where = where.replace(f"http://{registry}", "")
            ask("PUT", f"{where}&digest={name}", data,
                {"Content-Type": "application/octet-stream"})
        return {"digest": name, "size": len(data)}

    def manifest(name, media_type, body):
        data = json.dumps(body).encode()
        ask("PUT", f"/v2/{repository}/manifests/{name or digest(data)}", data,
            {"Content-Type": media_type})
        return {"mediaType": media_type, "digest": digest(data), "size": len(data)}

    layers = [{"mediaType": kind, **blob(data)}
              for kind, data in zip(image.types, image.layers)]

    def one(name, config):
        body = {"schemaVersion": 2, "mediaType": MANIFEST,
                "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
                           **blob(json.dumps(config).encode())}, "layers": layers}
        return manifest(name, MANIFEST, body)

    if image.index:
        entries = [{**one(None, {**image.config, "architecture": arch}),
                    "platform": {"os": "linux", "architecture": arch}} for arch in image.index]
        manifest(tag, INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
    else:
        one(tag, image.config)


def main():
    if len(sys.argv) < 6 or sys.argv[1] != "push":
        sys.exit(__doc__)
    _, _, layout, tag, registry, name, *changes = sys.argv
    image = Image(layout, tag)
    for change in changes:
        image.change(change)
    repository, _, new_tag = name.rpartition(":")
    push(registry, repository, new_tag, image)


main()
