#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""cosign-sign.py LAYOUT TAG KEY REFERENCE [--claim DIGEST] [--type TYPE]: signs the image of an OCI
layout as `cosign sign --key` does, with openssl: an artifact under the tag sha256-HEX.sig with one
more layer for each signature. --claim: the digest that the payload names, instead of the image's."""
import argparse
import base64
import hashlib
import json
import os
import subprocess


def put(layout, data):
    digest = hashlib.sha256(data).hexdigest()
    with open(os.path.join(layout, "blobs/sha256", digest), "wb") as f:
        f.write(data)
    return {"digest": "sha256:" + digest, "size": len(data)}


def sign(key, data):
    kind = subprocess.run(["openssl", "pkey", "-in", key, "-noout", "-text"], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    if kind.startswith("ED25519"):
        with open(key + ".payload", "wb") as f:
            f.write(data)
        command = ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", key + ".payload"]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    command = ["openssl", "dgst", "-sha256", "-sign", key]
    return subprocess.run(command, input=data, check=True, stdout=subprocess.PIPE).stdout


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("layout")
    parser.add_argument("tag")
    parser.add_argument("key")
    parser.add_argument("reference")
    parser.add_argument("--claim")
    parser.add_argument("--type", default="cosign container image signature")
    args = parser.parse_args()
    name = "org.opencontainers.image.ref.name"
    path = os.path.join(args.layout, "index.json")
    with open(path, encoding="utf-8") as f:
        index = json.load(f)
    tags = {e.get("annotations", {}).get(name): e for e in index["manifests"]}
    digest = tags[args.tag]["digest"]
    payload = json.dumps({"critical": {"identity": {"docker-reference": args.reference},
                                       "image": {"docker-manifest-digest": args.claim or digest},
                                       "type": args.type}, "optional": None}).encode()
    layer = put(args.layout, payload)
    layer["mediaType"] = "application/vnd.dev.cosign.simplesigning.v1+json"
    layer["annotations"] = {"dev.cosignproject.cosign/signature":
                            base64.b64encode(sign(args.key, payload)).decode()}
    tag, layers = digest.replace(":", "-") + ".sig", []
    if tag in tags:
        with open(os.path.join(args.layout, "blobs/sha256", tags[tag]["digest"][7:]),
                  encoding="utf-8") as f:
            layers = json.load(f)["layers"]
        index["manifests"].remove(tags[tag])
    config = put(args.layout, b"{}")
    config["mediaType"] = "application/vnd.oci.image.config.v1+json"
    media = "application/vnd.oci.image.manifest.v1+json"
    entry = put(args.layout, json.dumps({"schemaVersion": 2, "mediaType": media, "config": config,
                                         "layers": layers + [layer]}).encode())
    entry.update(mediaType=media, annotations={name: tag})
    index["manifests"].append(entry)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(index, f)
    print(digest)


if __name__ == "__main__":
    main()
