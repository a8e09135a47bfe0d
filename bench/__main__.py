"""Run all benchmarks and write their output into docs/performance.md: `make bench`."""

import ast
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from bench.report import PAGE, SECTIONS, stored, write

HERE = Path(__file__).resolve().parent


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(SECTIONS)))
def main(names: tuple[str, ...]) -> None:
    """Run these benchmarks, or all of them, and renew their sections of the page."""
    for name in names or SECTIONS:
        write(stored() | {name: section(name)})  # each when it is there: a later one may fail
    click.echo(f"written into {PAGE.relative_to(HERE.parent)}")


def machine() -> str:
    """Return when and where a benchmark begins."""
    where = f"Python {platform.python_version()}, {platform.system()} on {platform.machine()}, {os.cpu_count()} cores"
    return f"Measured on {datetime.now(UTC):%Y-%m-%d}, {where}, load {os.getloadavg()[0]:.1f} at the start."


def section(name: str) -> str:
    """Run one benchmark and return its section: its docstring and its output."""
    about = ast.get_docstring(ast.parse((HERE / f"{name}.py").read_text("utf-8"))) or ""
    click.echo(f"\n{SECTIONS[name]}\n")
    measured = machine()
    printed = ""
    # Unbuffered, so that output appears as it is printed.
    command = [sys.executable, "-u", "-m", f"bench.{name}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent) as process:  # noqa: S603
        assert process.stdout is not None  # noqa: S101
        for line in process.stdout:
            click.echo(line, nl=False)
            printed += line
    if process.returncode:
        raise click.ClickException(f"bench.{name} ended with {process.returncode}")
    table = "\n".join(line.rstrip() for line in printed.rstrip().splitlines())
    return f"## {SECTIONS[name]}\n{measured} {about}\n\n```text\n{table}\n```\n"


if __name__ == "__main__":
    main()
