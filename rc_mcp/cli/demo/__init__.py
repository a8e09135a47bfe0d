"""rc-mcp demo: a guided tour in the terminal that checks its own claims."""

import sys

import anyio
import click

from rc_mcp.cli.demo.screen import Screen
from rc_mcp.cli.demo.tour import take_tour
from rc_mcp.cli.terminal import terminal


@click.command()
def demo() -> None:
    """Take a guided tour in seconds, without an account or key.

    It starts an emulated RingCentral with a made-up mailbox, and the real server. It reads, marks, deletes and restores
    messages, and is refused a purge. The exit code is 1 if a claim fails.
    """
    screen = Screen(terminal())
    anyio.run(take_tour, screen)
    sys.exit(1 if screen.failed else 0)
