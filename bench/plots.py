"""Plots as SVG, without a script or another file: horizontal bars with their values, readable in light and dark."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_LINE, _LABEL, _WIDTH, _BAR, _TOP = 24, 360, 800, 320, 44
_STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1d2733; }
  .title { font-weight: 600; font-size: 15px; }
  .back { fill: #fff; }
  .ours { fill: #1f6feb; } .other { fill: #8a96a3; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6ebf0; }
    .back { fill: #12171d; }
    .ours { fill: #6ea8fe; } .other { fill: #6b7885; }
  }
"""


@dataclass(frozen=True)
class Bar:
    """One value, at least 0."""

    label: str
    value: float
    is_ours: bool = True


def plot(title: str, bars: Sequence[Bar]) -> str:
    """Return the bars as SVG, from 0, in the given order. Each value is written next to its bar."""
    scale = _BAR / max(bar.value for bar in bars)
    height = _TOP + _LINE * len(bars) + 12
    drawn = "".join(_bar(bar, _TOP + _LINE * n, scale) for n, bar in enumerate(bars))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}" '
        f'role="img" aria-label="{escape(title)}">\n<style>{_STYLE}</style>\n'
        f'<rect class="back" width="{_WIDTH}" height="{height}" rx="8"/>\n'
        f'<text class="title" x="16" y="27">{escape(title)}</text>\n{drawn}</svg>\n'
    )


def _bar(bar: Bar, y: int, scale: float) -> str:
    length = round(bar.value * scale, 1)
    kind = "ours" if bar.is_ours else "other"
    return (
        f'<text x="{_LABEL - 10}" y="{y + 15}" text-anchor="end">{escape(bar.label)}</text>'
        f'<rect class="{kind}" x="{_LABEL}" y="{y + 3}" width="{length}" height="{_LINE - 8}" rx="2"/>'
        f'<text x="{_LABEL + length + 8}" y="{y + 15}">{bar.value:,g}</text>\n'
    )
