"""Opening the user's own browser from a server whose input and output belong to a protocol."""

import os
import subprocess
import sys
from typing import cast

from anyio import CancelScope, move_on_after, open_process
from anyio.abc import ByteSendStream, Process

_WITHIN_S = 20.0
_OPEN = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.stdin.read()))"


def has_browser() -> bool:
    """Return whether this machine can show a browser's window. On Linux that takes a display, or a browser by name."""
    is_other = sys.platform in {"darwin", "win32"}
    return is_other or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


async def open_browser(url: str) -> bool:
    """Open the address in the user's browser; return whether that worked.

    A process of its own does it: a browser may write to its output, which is the protocol's here. It has no terminal,
    so no browser runs in one.
    """
    if not has_browser():
        return False
    process = await open_process(
        [sys.executable, "-P", "-c", _OPEN],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if name != "TERM"},
        start_new_session=True,
    )
    return await _opened(process, url)


async def _opened(process: Process, url: str) -> bool:
    status = None
    try:
        with move_on_after(_WITHIN_S):
            stdin = cast("ByteSendStream", process.stdin)  # a pipe
            await stdin.send(url.encode())
            await stdin.aclose()
            status = await process.wait()
    except OSError:
        return False
    finally:
        with CancelScope(shield=True):
            # A browser that was started stays; what only waits for it is ended.
            if process.returncode is None:
                process.kill()
            await process.aclose()
    return status in {0, None}  # still running: a browser in the foreground
