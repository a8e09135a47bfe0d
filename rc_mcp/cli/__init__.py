"""The rc-mcp command. Each subcommand is a module of this room, a thin shell over the others.

Subcommand modules import what is heavy only when they run, so that --help and --version answer fast.
"""

import io
import sys
from typing import cast

import click

from rc_mcp.cli.approvals import approvals
from rc_mcp.cli.audit import audit
from rc_mcp.cli.demo import demo
from rc_mcp.cli.doctor import doctor
from rc_mcp.cli.emulator import emulator
from rc_mcp.cli.install import install
from rc_mcp.cli.login import login, logout
from rc_mcp.cli.policy import policy
from rc_mcp.cli.serve import serve
from rc_mcp.cli.stop import resume, stop
from rc_mcp.cli.undo import undo


class _ServesByDefault(click.Group):
    """`rc-mcp` alone, or with an option of serve, is `rc-mcp serve`: what a host's configuration starts."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in {"--help", "-h", "--version"}):
            # A mistyped command is still reported as one, not as a stray argument of serve.
            args = args if args and not args[0].startswith("-") else ["serve", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_ServesByDefault, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rc-mcp", prog_name="rc-mcp")
def main() -> None:
    """An MCP server for RingCentral messages: voicemails, faxes, texts and pager messages.

    Without a command it serves MCP over stdio, like `rc-mcp serve`.
    """
    stdout: object = sys.stdout
    if isinstance(stdout, io.TextIOWrapper):
        # What its encoding lacks is shown as `?`: a name must not end a command half-way.
        cast("io.TextIOWrapper", stdout).reconfigure(errors="replace")


_COMMANDS = (serve, install, login, logout, demo, emulator, doctor, approvals, policy, audit, undo, stop, resume)

for command in _COMMANDS:
    main.add_command(command)

__all__ = ["main"]
