#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes an image in an OCI layout directory, always the same bytes for the same words.

    layout.py DIR TAG [--layer BYTES[:FORM]]... [--arch ARCH[/VARIANT]] [--docker]
                      [--index PLATFORM,...] [--nested N] [--attest]

FORM: gzip (default), zstd (needs the zstd program), plain. Each layer is a tar with one file
of that many bytes that do not compress. --index: TAG is an index of one image for each
platform; --nested N: that many indexes around it. The digests are printed: TAG's first.
"""
import argparse
import gzip
import hashlib
import io
import json
import os
import random
import subprocess
import tarfile

OCI = "application/vnd.oci.image."
DOCKER = "application/vnd.docker."
FORMS = {"plain": "", "gzip": "+gzip", "zstd": "+zstd"}


class Layout:
    def __init__(self, path, docker):
        self.path, self.docker = path, docker
        os.makedirs(os.path.join(path, "blobs", "sha256"), exist_ok=True)
        with open(os.path.join(path, "oci-layout"), "w", encoding="utf-8") as f:
            f.write('{"imageLayoutVersion":"1.0.0"}')

    def add(self, data, media):
        if not isinstance(data, bytes):
            data = json.dumps(data).encode()
        digest = hashlib.sha256(data).hexdigest()
        with open(os.path.join(self.path, "blobs", "sha256", digest), "wb") as f:
            f.write(data)
        return {"mediaType": media, "digest": "sha256:" + digest, "size": len(data)}

    def layer(self, number, text):
        size, _, form = text.partition(":")
        form = form or "gzip"
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
            info = tarfile.TarInfo(f"file-{number}")
            info.size = int(size)
            tar.addfile(info, io.BytesIO(random.Random(f"{number}:{text}").randbytes(info.size)))
        plain = out.getvalue()
        data = plain
        if form == "gzip":
            data = gzip.compress(plain, 1, mtime=0)
        elif form == "zstd":
            data = subprocess.run(["zstd", "-q", "-1"], input=plain, check=True,
                                  stdout=subprocess.PIPE).stdout
        media = OCI + "layer.v1.tar" + FORMS[form]
        if self.docker:
            media = DOCKER + "image.rootfs.diff.tar" + FORMS[form].replace("+", ".")
        return self.add(data, media), "sha256:" + hashlib.sha256(plain).hexdigest()

    def image(self, layers, platform):
        arch, _, variant = platform.partition("/")
        made = [self.layer(i, text) for i, text in enumerate(layers)]
        config = {"os": "linux", "architecture": arch, "config": {"Cmd": ["/bin/sh"]},
                  "rootfs": {"type": "layers", "diff_ids": [diff for _, diff in made]}}
        if variant:
            config["variant"] = variant
        kind = (DOCKER + "container.image.v1+json" if self.docker else OCI + "config.v1+json")
        media = (DOCKER + "distribution.manifest.v2+json" if self.docker
                 else OCI + "manifest.v1+json")
        return self.add({"schemaVersion": 2, "mediaType": media,
                         "config": self.add(config, kind),
                         "layers": [descriptor for descriptor, _ in made]}, media)

    def index(self, entries):
        media = (DOCKER + "distribution.manifest.list.v2+json" if self.docker
                 else OCI + "index.v1+json")
        return self.add({"schemaVersion": 2, "mediaType": media, "manifests": entries}, media)

    def tag(self, tag, descriptor):
        path = os.path.join(self.path, "index.json")
        index = {"schemaVersion": 2, "manifests": []}
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                index = json.load(f)
        name = "org.opencontainers.image.ref.name"
        index["manifests"] = [m for m in index["manifests"]
                              if m.get("annotations", {}).get(name) != tag]
        index["manifests"].append(dict(descriptor, annotations={name: tag}))
        with open(path, "w", encoding="utf-8") as f:
            json.dump(index, f)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dir")
    parser.add_argument("tag")
    parser.add_argument("--layer", action="append", default=[])
    parser.add_argument("--arch", default="amd64")
    parser.add_argument("--docker", action="store_true")
    parser.add_argument("--index")
    parser.add_argument("--nested", type=int, default=0)
    parser.add_argument("--attest", action="store_true")
    args = parser.parse_args()
    layout = Layout(args.dir, args.docker)
    platforms = args.index.split(",") if args.index else [args.arch]
    entries = []
    for platform in platforms:
        entry = layout.image(args.layer, platform)
        arch, _, variant = platform.partition("/")
        entry["platform"] = {"os": "linux", "architecture": arch}
        if variant:
            entry["platform"]["variant"] = variant
        entries.append(entry)
    if args.attest:
        entry = layout.image([], "unknown")
        entry["platform"] = {"os": "unknown", "architecture": "unknown"}
        entry["annotations"] = {"vnd.docker.reference.type": "attestation-manifest"}
        entries.insert(0, entry)
    top = entries[0]
    if args.index or args.nested:
        top = layout.index(entries)
        for _ in range(args.nested):
            top = layout.index([dict(top)])
    top.pop("platform", None)
    layout.tag(args.tag, top)
    for entry in [top] + entries:
        print(entry["digest"])


if __name__ == "__main__":
    main()
