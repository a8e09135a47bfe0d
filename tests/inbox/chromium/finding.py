"""A Chromium to test with: the machine's own, or one that npm installs under `.interop/`."""

import shutil
from pathlib import Path

from tests.installed import installed, node_environment, run, tool

PACKED = Path(__file__).with_name("packed")
NAMES = ("chromium", "chromium-browser", "google-chrome")
START = """#!/bin/sh
here=$(dirname "$0")
FONTCONFIG_FILE="$here/fonts/own.conf" LD_LIBRARY_PATH="$here/libraries/lib" exec "$here/chromium" "$@"
"""
"""Starts the packed browser with its own libraries and fonts: a machine without a browser may lack them."""
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir prefix="relative">fonts</dir><dir>/usr/share/fonts</dir></fontconfig>
"""


def chromium() -> Path:
    """Return the program of a Chromium. Skip the test where there is none and none can be installed."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return Path(found) if found else packed_chromium()


def packed_chromium() -> Path:
    """Return the program of the Chromium that npm has, installed when it is first asked for."""
    packages, lock, program = node_environment(PACKED), PACKED / "package-lock.json", PACKED / "unpack.mjs"

    def unpack(folder: Path) -> None:
        run(tool("node"), shutil.copy(program, packages), folder)  # a module finds its imports from where it is
        shutil.unpack_archive(folder / "libraries.tar", folder / "libraries", filter="data")
        (folder / "fonts" / "own.conf").write_text(FONTS, "utf-8")
        (folder / "start").write_text(START, "utf-8")
        (folder / "start").chmod(0o755)

    return installed("packed-chromium", [lock, program], unpack) / "start"
