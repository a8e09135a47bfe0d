"""docs/performance.md: what it says at its top, and its plots, follow from its tables."""

import os
import re
import sys
import time
from html import unescape
from threading import Thread

import pytest

from bench.measuring import on_cpu_s
from bench.report import NUMBER, PAGE, PLOTS, SECTIONS, TARGETS, Target, line_of, missed, numbers, page, plots, stored

STORED = stored()
_TARGETS = {
    "tokens": r"  (?:15 %, under [\d,]+|under [\d,]+|45|[24],000)$",
    "server": " target ",
    "peers": " target ",
    "growth": " target ",
    "client": " target ",
    "emulator": " target ",
}
"""What a row with a target has, by section."""


def is_measured(target: Target) -> bool:
    """Return whether the page has a figure for it: not if a program was not installed, or the row is a new one."""
    try:
        return target.no_errors or bool(numbers(STORED[target.section], target.row, target.after))
    except LookupError:
        return False


MEASURED = [target for target in TARGETS if is_measured(target)]
CONDITIONAL = "    that is"
"""Of `flat out`: it counts only if `paced` misses its own."""


@pytest.mark.skipif(sys.platform != "linux", reason="benchmarks run on Linux")
def test_processor_time_includes_that_of_threads_that_have_ended():
    def work() -> None:
        while time.thread_time() < 0.05:
            pass

    before = on_cpu_s(os.getpid())
    thread = Thread(target=work)
    thread.start()
    thread.join()
    assert on_cpu_s(os.getpid()) - before >= 0.05


def test_the_page_and_its_plots_are_those_of_its_figures() -> None:
    assert PAGE.read_text("utf-8") == page(STORED), "renew it with: python -m bench.report"
    drawn = {f"{name}.svg": svg for name, (_, svg) in plots(STORED).items()}
    assert {file.name: file.read_text("utf-8") for file in PLOTS.iterdir()} == drawn


@pytest.mark.parametrize("section", SECTIONS)
def test_every_row_with_a_target_is_checked(section: str) -> None:
    table = STORED[section].partition("```text\n")[2]
    rows = [line for line in table.splitlines() if re.search(_TARGETS[section], line) and CONDITIONAL not in line]
    checked = {line_of(table, each.row, each.after) for each in MEASURED if each.section == section}
    assert rows
    assert set(rows) <= checked


def test_the_top_lists_exactly_the_targets_that_are_missed() -> None:
    listed = [line for line in PAGE.read_text("utf-8").partition("\n## ")[0].splitlines() if line.startswith("- ")]
    assert listed == missed(STORED)


def with_figure(target: Target, figure: str) -> dict[str, str]:
    """Return the sections with another figure in the row of a target."""
    text = STORED[target.section]
    row = line_of(text, target.row, target.after)
    if target.no_errors:
        changed = re.sub(r"\S+ errors?", f"{figure} errors", row, count=1)
    else:
        found = [*re.finditer(NUMBER, row[len(target.row) :])][target.at]
        start, end = (len(target.row) + place for place in found.span())
        changed = row[:start] + figure + row[end:]
    before, after = text[: text.index(target.after)], text[text.index(target.after) :]
    return {**STORED, target.section: before + after.replace(row, changed, 1)}


def lines_of(target: Target, figure: str) -> set[str]:
    return set(missed(with_figure(target, figure))) - set(missed(STORED))


@pytest.mark.parametrize("target", MEASURED, ids=lambda target: f"{target.row.strip()} {target.after} {target.limit:g}")
def test_a_figure_is_listed_only_if_it_misses_its_target(target: Target) -> None:
    if target.no_errors:
        reached, worse = "no", "3"
    else:
        reached, worse = f"{target.limit:,g}", f"{target.limit * 0.9 if target.at_least else target.limit + 1:,g}"
    assert len(missed(with_figure(target, worse))) - len(missed(with_figure(target, reached))) == 1
    assert lines_of(target, reached) == set()


@pytest.mark.parametrize("instead", ["not measured: a program is not installed", None])
def test_a_target_without_a_figure_is_listed_as_not_measured(instead: str | None):
    target = next(target for target in MEASURED if target.section == "server")
    row = line_of(STORED["server"], target.row)
    other = f"{target.row}  {instead}\n" if instead else ""
    listed = missed({**STORED, "server": STORED["server"].replace(f"{row}\n", other)})
    assert [target.row in line for line in listed if "not measured" in line and line not in missed(STORED)] == [True]


@pytest.mark.parametrize("name", plots(STORED))
def test_a_plot_shows_figures_of_the_tables_with_bars_of_their_length(name: str) -> None:
    svg = (PLOTS / f"{name}.svg").read_text("utf-8")
    bars = re.findall(r'<text [^>]*>([^<]+)</text><rect [^>]*width="([\d.]+)"[^>]*/><text [^>]*>([\d.,]+)</text>', svg)
    tables = "".join(STORED.values()).replace(",", "")
    values = [float(value.replace(",", "")) for _, _, value in bars]
    for label, length, value in bars:
        assert re.search(rf"(?<![\d.]){re.escape(value.replace(',', ''))}0*(?![\d.])", tables), unescape(label)
        assert float(length) / 320 == pytest.approx(float(value.replace(",", "")) / max(values), abs=0.001)
    assert len(bars) >= 4


@pytest.mark.parametrize("name", plots(STORED))
def test_a_plot_needs_no_other_file_and_has_colors_for_light_and_dark(name: str) -> None:
    svg = (PLOTS / f"{name}.svg").read_text("utf-8")
    assert re.findall(r"https?://[^\"']+", svg) == ["http://www.w3.org/2000/svg"]
    assert "<script" not in svg
    assert "prefers-color-scheme: dark" in svg
