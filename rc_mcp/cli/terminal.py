"""Terminal output: no line is too wide to read, and untrusted text is never interpreted as markup."""

import os
import sys

from rich.console import Console

_MAX_COLUMNS = 100


def terminal() -> Console:
    """Return a console on stdout."""
    console = _Terminal(markup=False, emoji=False, highlight=False)
    console.width = min(console.width, _MAX_COLUMNS)
    return console


class _Terminal(Console):
    def on_broken_pipe(self) -> None:
        """Discard further output (`rc-mcp demo | head`), so that the command still finishes and cleans up."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
