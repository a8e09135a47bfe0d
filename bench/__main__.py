"""Runs all benchmarks and writes what they print into docs/performance.md: `make bench`."""

import ast
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs/performance.md"
BENCHES = {
    "server": "The server",
    "client": "The client beside RingCentral's own package",
    "emulator": "The emulator",
    "tokens": "What a model reads",
}
TOP = """\
# Performance

Written by `make bench`; nothing here was typed. {when}, Python {python}, {system}, {cores} cores, load {load:.1f} at
the start. Ratios are medians of paired runs and bear a busy machine; times and rates do not.
"""


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHES)))
def main(names: tuple[str, ...]) -> None:
    """Run these benchmarks, or all; only a run of all renews the page."""
    here = [name for name in BENCHES if (HERE / f"{name}.py").exists()]
    top = TOP.format(
        when=f"{datetime.now(UTC):%Y-%m-%d}",
        python=platform.python_version(),
        cores=os.cpu_count(),
        system=f"{platform.system()} on {platform.machine()}",
        load=os.getloadavg()[0],
    )
    sections = [section(name) for name in names or here]
    if not names:
        PAGE.write_text("\n".join([top, *sections]), encoding="utf-8")
        click.echo(f"written into {PAGE.relative_to(HERE.parent)}")


def section(name: str) -> str:
    """What one benchmark says of itself, and what it printed."""
    about = ast.get_docstring(ast.parse((HERE / f"{name}.py").read_text("utf-8"))) or ""
    click.echo(f"\n{BENCHES[name]}\n")
    printed = ""
    # As a user's shell would: what it prints is seen as it comes.
    command = [sys.executable, "-u", "-m", f"bench.{name}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent) as process:  # noqa: S603
        assert process.stdout is not None  # noqa: S101
        for line in process.stdout:
            click.echo(line, nl=False)
            printed += line
    if process.returncode:
        raise click.ClickException(f"bench.{name} ended with {process.returncode}")
    table = "\n".join(line.rstrip() for line in printed.rstrip().splitlines())
    return f"## {BENCHES[name]}\n{about}\n\n```text\n{table}\n```\n"


if __name__ == "__main__":
    main()
