#!/usr/bin/env python3
"""Writes an OCI image as a tar file that containerd imports: image.py OUT.tar NAME FOLDER [--entrypoint PROGRAM] [--user USER]

One layer, of the folder. Everything in it belongs to root and has no time, so the same content is the same image.
"""

import argparse
import hashlib
import io
import json
import os
import platform
import tarfile

MEDIA = "application/vnd.oci.image."


def layer(root):
    """The folder as a tar, in the order of names."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for folder, folders, files in os.walk(root):
            folders.sort()
            for name in sorted(folders + files):
                path = os.path.join(folder, name)
                entry = tar.gettarinfo(path, os.path.relpath(path, root))
                entry.uid = entry.gid = entry.mtime = 0
                entry.uname = entry.gname = ""
                if entry.isreg():
                    with open(path, "rb") as content:
                        tar.addfile(entry, content)
                else:
                    tar.addfile(entry)
    return buffer.getvalue()


def add(tar, name, data):
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o644
    tar.addfile(entry, io.BytesIO(data))


def blob(tar, kind, data, **more):
    """Adds content by its digest and gives the descriptor that refers to it."""
    digest = hashlib.sha256(data).hexdigest()
    add(tar, "blobs/sha256/" + digest, data)
    return {"mediaType": MEDIA + kind, "digest": "sha256:" + digest, "size": len(data), **more}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("name")
    parser.add_argument("folder")
    parser.add_argument("--entrypoint")
    parser.add_argument("--user", default="")
    asked = parser.parse_args()
    machine = {"architecture": {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()], "os": "linux"}
    with tarfile.open(asked.out, "w") as tar:
        content = blob(tar, "layer.v1.tar", layer(asked.folder))
        run = {
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "Entrypoint": [asked.entrypoint] if asked.entrypoint else None,
            "User": asked.user,
            "WorkingDir": "/",
        }
        config = {**machine, "config": run, "rootfs": {"type": "layers", "diff_ids": [content["digest"]]}}
        config = blob(tar, "config.v1+json", json.dumps(config).encode())
        manifest = {"schemaVersion": 2, "mediaType": MEDIA + "manifest.v1+json", "config": config, "layers": [content]}
        named = {"io.containerd.image.name": asked.name, "org.opencontainers.image.ref.name": asked.name.rsplit(":", 1)[-1]}
        manifest = blob(tar, "manifest.v1+json", json.dumps(manifest).encode(), platform=machine, annotations=named)
        add(tar, "index.json", json.dumps({"schemaVersion": 2, "manifests": [manifest]}).encode())
        add(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')


if __name__ == "__main__":
    main()
