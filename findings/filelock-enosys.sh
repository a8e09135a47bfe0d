#!/usr/bin/env bash
# filelock's FileLock where the file system has no flock (it answers ENOSYS): two objects on one file both hold the lock.
#
# Expected: the fallback, a SoftFileLock, still lets only one hold it, as its marker file is made with O_EXCL.
# Seen: a new FileLock opens the marker of the one that holds it, gets ENOSYS, takes the marker for its own placeholder,
# removes it, and makes its own. `fallback_to_soft=False` or `lock_descriptor` are safe, and not the default.
#
# Exits with 0 while that is so, with 1 when it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'filelock==3.32.7'
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import errno
import fcntl
import sys

import filelock


def flock(descriptor, operation):
    raise OSError(errno.ENOSYS, "Function not implemented")


fcntl.flock = flock
first, second = filelock.FileLock("x.lock"), filelock.FileLock("x.lock")
first.acquire(blocking=False)
try:
    second.acquire(blocking=False)
    both = True
except filelock.Timeout:
    both = False
held = f"both hold it: {both} ({type(first).__name__}, {type(second).__name__})"

strict = filelock.FileLock("y.lock", fallback_to_soft=False)
try:
    strict.acquire(blocking=False)
    refused = False
except OSError as error:
    refused = error.errno == errno.ENOSYS
print(f"filelock {filelock.__version__}: {held}; with fallback_to_soft=False it refuses: {refused}")
sys.exit(0 if both and refused else 1)
PYTHON
