"""Write the README's picture from a real run of `rc-mcp demo`: `make picture`.

The clocks of emulator and server start at `MOMENT`, so that the picture does not depend on the hour.
"""

import io
import os
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch
from zoneinfo import ZoneInfo

import anyio
from rich.console import Console

from rc_mcp.cli.demo.screen import Screen
from rc_mcp.cli.demo.stage import stage
from rc_mcp.cli.demo.tour import take_tour
from rc_mcp.server import build_server
from rc_mcp.settings import load_settings

ZONE = "America/Los_Angeles"
MOMENT = datetime(2026, 3, 5, 17, tzinfo=ZoneInfo(ZONE))
"""Late on a Thursday afternoon, as in the made-up mailbox."""
PICTURE = Path(__file__).with_name("demo.svg")
PARTS = ("A voicemail", "Delete old texts", "Undo", "Find messages by their words")
COLUMNS = 86
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


class Camera(Screen):
    """A screen that records only `PARTS`."""

    def step(self, title: str) -> None:
        """Begin a part of the tour."""
        self.console.record = title.startswith(PARTS)
        super().step(title)


def take_picture() -> str:
    """Run the tour and return the recorded parts as SVG. Exit if a claim is false."""
    ahead = MOMENT - datetime.now(UTC)
    console = Console(
        width=COLUMNS,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        markup=False,
        emoji=False,
        highlight=False,
    )
    camera = Camera(console)
    server = (sys.executable, str(Path(__file__)), str(ahead.total_seconds()))
    with patch.dict(os.environ, RC_MCP_TIMEZONE=ZONE):  # the same on every machine
        anyio.run(take_tour, camera, stage(lambda: datetime.now(UTC) + ahead, server))
    if camera.failed:
        sys.exit("A claim of the demo is false; the picture was not changed. Run rc-mcp demo to see which.")
    return _on_its_own(console.export_svg(title="rc-mcp demo", unique_id="demo"))


def _on_its_own(svg: str) -> str:
    """Remove rich's web font: GitHub does not load other files for a picture."""
    svg = re.sub(r"@font-face \{.*?\}|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code, monospace", FONTS).replace("arial", "sans-serif")
    return "".join(f"{line.rstrip()}\n" for line in svg.splitlines() if line.strip())


def _serve(ahead: timedelta) -> None:
    """Run the tour's server with its clock this far ahead."""
    build_server(load_settings(RC_MCP_TIMEZONE=ZONE), now=lambda: datetime.now(UTC) + ahead).run()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _serve(timedelta(seconds=float(sys.argv[1])))
    else:
        PICTURE.write_text(take_picture(), encoding="utf-8")
