"""Terminal output of the tour, for any width, with or without color and UTF-8.

Markup is off, so that rich does not interpret untrusted text.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from PIL import Image
from rich.box import SIMPLE_HEAD
from rich.columns import Columns
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from rc_mcp.views.untrusted_text import counted

Row = dict[str, Any]
"""A row of list_messages, by column name, with its message type."""

_INDENT = 2
_BRAILLE = 0x2800
_DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
"""The position of each bit of a Braille character: column, row."""
_DARK = 150


def rows(messages: Mapping[str, Any]) -> list[Row]:
    """Return the rows of all tables of list_messages as objects, newest first.

    By their ids, which grow with time on the emulator: `at` is in the user's zone, where an hour may come twice.
    """
    found = [
        {"type": kind, **dict(zip(table["columns"], cells, strict=False))}
        for kind, table in messages.items()
        for cells in table["untrusted_rows"]
    ]
    return sorted(found, key=lambda row: int(row["id"]), reverse=True)


class Screen:
    """The printed tour, and the counts of its claims."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.held = 0
        self.failed = 0
        self.speaks_utf = console.encoding.lower().startswith("utf")
        self.tick, self.cross, self.dot = ("✓", "✗", "●") if self.speaks_utf else ("ok:", "NOT SO:", "*")

    def step(self, title: str) -> None:
        """Print the heading of a step."""
        self.console.print()
        self.console.print(Rule(Text(title, "bold"), align="left", style="dim"))

    def say(self, text: str) -> None:
        """Print narration."""
        self._print(Text(text))

    def call(self, tool: str, arguments: Mapping[str, object]) -> None:
        """Print a tool call of the assistant."""
        given = ", ".join(f"{name}={_short(value)}" for name, value in arguments.items())
        self._print(Text(f"> {tool}({given})", "cyan"))

    def quote(self, words: str) -> None:
        """Print untrusted text."""
        self._print(Text(words, "italic"), more=2)

    def picture(self, image: Image.Image) -> None:
        """Print an image in Braille characters, if the terminal has them."""
        if self.speaks_utf:
            self._print(Text(_in_dots(image, min(self.console.width, 80) - 3 * _INDENT), no_wrap=True), more=2)

    def server_says(self, status: str, words: str) -> None:
        """Print an answer of the server."""
        self._print(Text.assemble(("rc-mcp answers ", "cyan"), (status, "bold cyan"), (": ", "cyan"), words))

    def question(self, text: str) -> None:
        """Print a question of the server to the user."""
        title = Text("rc-mcp asks the user", "bold")
        self._print(Panel(Text(text), title=title, title_align="left", border_style="yellow", expand=False))

    def answer(self, words: str) -> None:
        """Print the user's reply."""
        self._print(Text.assemble(("The user answers: ", "bold yellow"), words))

    def names(self, names: Iterable[str]) -> None:
        """Print names in columns."""
        self._print(Columns([Text(name, "cyan") for name in names], padding=(0, 3), column_first=True))

    def messages(self, rows: Iterable[Row]) -> None:
        """Print messages, one truncated line each."""
        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="dim", expand=True)
        for heading, min_width, ratio in (("at", 11, 0), ("type", 9, 0), ("who", 20, 2), ("what", 20, 3)):
            table.add_column(heading, no_wrap=True, overflow="ellipsis", min_width=min_width, ratio=ratio or None)
        for row in rows:
            table.add_row(*(Text(cell) for cell in _cells(row)))
        self._print(table)

    def check(self, claim: str, *, expected: object, found: object) -> None:
        """Check a claim and print the result."""
        if expected == found:
            self.held += 1
            self._print(Text.assemble((f"{self.tick} ", "bold green"), claim))
            return
        self.fail(claim)
        self._print(Text(f"expected: {_whole(expected)}\nfound:    {_whole(found)}", "red"), more=2)

    def fail(self, what: str) -> None:
        """Print and count a failure."""
        self.failed += 1
        self._print(Text(f"{self.cross} {what}", "bold red"))

    def _print(self, shown: RenderableType, *, more: int = 0) -> None:
        self.console.print(Padding(shown, (0, 0, 0, _INDENT + more), expand=False))


def _in_dots(image: Image.Image, columns: int) -> str:
    width = 2 * columns
    height = -(-image.height * width // image.width // 4) * 4
    dark = (
        image.convert("L")
        .resize((width, height), Image.Resampling.LANCZOS)
        .point([255 * (grey < _DARK) for grey in range(256)])
    )
    lines = [
        "".join(
            chr(
                _BRAILLE
                + sum(1 << bit for bit, (right, down) in enumerate(_DOTS) if dark.getpixel((x + right, y + down)))
            )
            for x in range(0, width, 2)
        )
        for y in range(0, height, 4)
    ]
    return "\n".join(line.rstrip(chr(_BRAILLE)) for line in lines)


def _short(value: object) -> str:
    many = isinstance(value, list) and len(cast("list[object]", value)) > 1
    return f"[{len(cast('list[object]', value))} ids]" if many else json.dumps(value)


def _cells(row: Row) -> tuple[str, str, str, str]:
    seconds, pages = row.get("seconds"), row.get("pages")
    size = counted(pages, "page") if pages else counted(seconds, "second") if seconds else ""
    return row["at"], row["type"], row["untrusted_who"], row.get("untrusted_text") or size


def _whole(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
