"""Takes the picture of the README: the telling parts of `rc-mcp demo`, as it really ran (`make picture`)."""

import io
import os
import re
import sys
from pathlib import Path
from unittest.mock import patch

import anyio
from rich.console import Console

from rc_mcp.cli.demo.screen import Screen
from rc_mcp.cli.demo.tour import take_tour

PICTURE = Path(__file__).with_name("demo.svg")
PARTS = ("A voicemail", "Clear out old texts", "The same again", "Undo")
COLUMNS = 86
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


class Camera(Screen):
    """Records only the parts that are wanted."""

    def step(self, title: str) -> None:
        """Begin a part of the tour."""
        self.console.record = title.startswith(PARTS)
        super().step(title)


def take_picture() -> str:
    """Runs the tour; the recorded parts as SVG. Ends the process if a claim does not hold."""
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
    with patch.dict(os.environ, RC_MCP_TIMEZONE="UTC"):  # the same wherever it is taken
        anyio.run(take_tour, camera)
    if camera.failed:
        sys.exit("A claim did not hold: see rc-mcp demo. The picture is left as it was.")
    return _on_its_own(console.export_svg(title="rc-mcp demo", unique_id="demo"))


def _on_its_own(svg: str) -> str:
    """Without rich's web font: GitHub shows a picture without anything from elsewhere."""
    svg = re.sub(r"@font-face \{.*?\}|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code, monospace", FONTS).replace("arial", "sans-serif")
    return "".join(f"{line.rstrip()}\n" for line in svg.splitlines() if line.strip())


if __name__ == "__main__":
    PICTURE.write_text(take_picture(), encoding="utf-8")
