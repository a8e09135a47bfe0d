"""The page docs/performance.md: what is missed at its top, the plots, and the output of each benchmark.

`python -m bench.report` builds it again from the figures that it has, without measuring.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from bench.plots import Bar, plot

PAGE = Path(__file__).resolve().parent.parent / "docs/performance.md"
PLOTS = PAGE.parent / "performance"
SECTIONS = {
    "server": "The server",
    "client": "The client compared with RingCentral's own package",
    "emulator": "The emulator",
    "tokens": "Tokens that a model reads",
}
NEAR, FAR = "on loopback", "40 ms of latency"
_JOBS = (
    "list 10,000 messages",
    "read 500 by id",
    "mark 1,000 read",
    "fetch 100 attachments of 1 MB",
    "the four together",
)
NUMBER = r"[-+]?\d[\d,]*(?:\.\d+)?"


@dataclass(frozen=True)
class Target:
    """A row of a table with a target: its number `at` (from 0) must be at most `limit`, or at least with `at_least`."""

    section: str
    row: str
    limit: float = 0
    at: int = 0
    at_least: bool = False
    after: str = ""
    """A text above the row, where several tables have a row of this name."""
    no_errors: bool = False
    """The row must say `no error`; the other fields do not count."""


GROWTH_MB = 1.0
"""Growth of memory that counts as none: the memory of a process changes by less without any call."""
TARGETS = (
    Target("server", "start to tools/list, over the minimal server", 1.25),
    Target("server", "list_messages of 100, over its parts", 1.5),
    Target("server", "stdio, 64 callers", no_errors=True),
    Target("server", "HTTP, 64 callers", no_errors=True),
    Target("server", "    growth over 10,000 calls", GROWTH_MB),
    Target("client", "the four together", 3, at_least=True, after=NEAR),
    *(Target("client", job, 1, at_least=True, after=NEAR) for job in _JOBS[:-1]),
    Target("client", "the four together", 3, at_least=True, after=FAR),
    *(Target("client", job, 1, at_least=True, after=FAR) for job in _JOBS[:-1]),
    Target("client", "requests to mark 1,000 read", 1),
    Target("client", "MB that a file of 200 MB adds to memory", 20),
    Target("client", "500 attachments, % of the rate allowed", 97, at_least=True),
    Target("client", "    answers with 429"),
    Target("client", "    requests sent during a penalty"),
    Target("client", "    the same after an unexpected 429"),
    Target("emulator", "filtered page of 100, median of 200", 20),
    Target("emulator", "ISync with 10 changes, median of 200", 20),
    Target("emulator", "start from a file, until the first line", 1),
    Target("emulator", "resident memory under load", 200),
    Target("emulator", "    over 60 s of paced load", GROWTH_MB),
    Target("emulator", "paced at 1,000 a second", 1_000, at_least=True),
    Target("emulator", "paced at 1,000 a second", no_errors=True),
    Target("tokens", "default page: 100 messages, rows", 15, at=3),
    Target("tokens", "default page: 100 messages, rows", 5_000),
    Target("tokens", "the same page, summary", 5_000),
    Target("tokens", "the same page, full", 20_000),
    Target("tokens", "a row of the generated mailbox", 45),
    Target("tokens", "a row of the office", 45),
    Target("tokens", "rc-mcp", 4_000),
    Target("tokens", "rc-mcp, reading tools", 2_000),
)
"""`flat out` has a target only if `paced` misses its own."""


def line_of(text: str, row: str, after: str = "") -> str:
    """Return the line of a row.

    Raises:
        LookupError: the text has no such row.
    """
    below = text[text.index(after) :] if after in text else ""
    found = next((line for line in below.splitlines() if re.match(rf"{re.escape(row)}(  |$)", line)), None)
    if found is None:
        raise LookupError(f"no row {row!r} {after}".rstrip())
    return found


def numbers(text: str, row: str, after: str = "") -> list[float]:
    """Return the numbers of a row, after its name."""
    cells = line_of(text, row, after)[len(row) :]
    return [float(number.replace(",", "")) for number in re.findall(NUMBER, cells)]


def missed(sections: dict[str, str]) -> list[str]:
    """Return a line for each target that is missed."""
    return [
        f"- {SECTIONS[target.section]}: {target.row.strip()}{target.after and f' ({target.after})'}: {said}"
        for target in TARGETS
        if (said := _missed(target, sections[target.section]))
    ]


def _missed(target: Target, text: str) -> str | None:
    """Return the figure and the target; None if the target is reached."""
    if target.no_errors:
        return None if "no error" in line_of(text, target.row).partition("target")[0] else "errors; target none."
    found = numbers(text, target.row, target.after)[target.at]
    if (found >= target.limit) if target.at_least else (found <= target.limit):
        return None
    return f"{found:,g}; target at {'least' if target.at_least else 'most'} {target.limit:,g}."


def plots(sections: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Return each plot by its name: what it shows, and the SVG."""
    client, server, tokens = sections["client"], sections["server"], sections["tokens"]
    definitions = tokens.partition("tool definitions")[2].partition("```")[0].splitlines()[1:]
    servers = [name for line in definitions if (name := line.partition("  ")[0]) != "rc-mcp, reading tools"]
    shown = {
        "client": (
            "RingCentral's own Python package takes this many times as long as our client",
            [Bar(f"{job}, {where}", numbers(client, job, where)[0]) for job in _JOBS for where in (NEAR, FAR)],
        ),
        "calls": (
            "Calls a second of the server, by callers at the same time",
            [
                Bar(f"{way}, {n} {'caller' if n == 1 else 'callers'}", numbers(server, f"{way}, {n} callers")[0])
                for way in ("stdio", "HTTP")
                for n in (1, 16, 64)
            ],
        ),
        "definitions": (
            "Tokens of all tool definitions",
            [Bar(name, numbers(tokens, name)[0], is_ours=name == "rc-mcp") for name in servers],
        ),
        "answers": (
            "Tokens of a page of 100 messages",
            [
                Bar("RingCentral's JSON", numbers(tokens, "default page: 100 messages, rows")[1], is_ours=False),
                Bar("rc-mcp, full", numbers(tokens, "the same page, full")[0]),
                Bar("rc-mcp, rows", numbers(tokens, "default page: 100 messages, rows")[0]),
                Bar("rc-mcp, summary", numbers(tokens, "the same page, summary")[0]),
            ],
        ),
    }
    return {name: (title, plot(title, bars)) for name, (title, bars) in shown.items()}


def page(top: str, sections: dict[str, str]) -> str:
    """Return the whole page."""
    lines = missed(sections)
    said = f"Missed: {len(lines)} of {len(TARGETS)} targets. Growth of memory by up to {GROWTH_MB:g} MB counts as none."
    shown = [
        f"![{title}; the tables have these figures.](performance/{name}.svg)"
        for name, (title, _) in plots(sections).items()
    ]
    listed = [*lines, ""] if lines else []
    return "\n".join([top, said, "", *listed, *shown, "", *(sections[name] for name in SECTIONS)])


def write(top: str, sections: dict[str, str]) -> None:
    """Write the page and its plots."""
    PAGE.write_text(page(top, sections), encoding="utf-8")
    PLOTS.mkdir(exist_ok=True)
    for name, (_, svg) in plots(sections).items():
        (PLOTS / f"{name}.svg").write_text(svg, encoding="utf-8")


def stored() -> tuple[str, dict[str, str]]:
    """Return the top of the page as it is, and the text of each section."""
    first, *rest = re.split(r"^(?=## )", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    by_title = {text.partition("\n")[0].removeprefix("## "): text.rstrip("\n") + "\n" for text in rest}
    top = re.split(r"^(?=Missed: )", first, flags=re.MULTILINE)[0].rstrip("\n") + "\n"
    return top, {name: by_title[title] for name, title in SECTIONS.items()}


if __name__ == "__main__":
    write(*stored())
