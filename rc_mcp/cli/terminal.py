"""The terminal, as commands write to it: no line too wide to read, and nothing taken for markup.

Strangers' words pass through here.
"""

import os
import sys

from rich.console import Console

_MAX_COLUMNS = 100


def terminal() -> Console:
    """The console on stdout."""
    console = _Terminal(markup=False, emoji=False, highlight=False)
    console.width = min(console.width, _MAX_COLUMNS)
    return console


class _Terminal(Console):
    def on_broken_pipe(self) -> None:
        """Nobody reads on (`rc-mcp demo | head`): the command goes on unseen, and everything is put away."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
