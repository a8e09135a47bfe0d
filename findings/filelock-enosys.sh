#!/usr/bin/env bash
# filelock's FileLock where the file system has no flock (it answers ENOSYS): two objects on one file can both have the lock.
#
# Expected: the fallback, a SoftFileLock, still gives the lock to only one, as it creates its marker file with O_EXCL.
# Observed: a new FileLock opens the holder's marker, gets ENOSYS, takes the marker for its own placeholder, removes it,
# and creates its own. `fallback_to_soft=False` and `lock_descriptor` are safe, but not the default.
#
# Exits with 0 while the fault exists, and with 1 once the behavior changes.
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
