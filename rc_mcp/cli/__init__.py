"""The rc-mcp command. Each subcommand is a module of this package, a thin shell over the others."""

import gc
import io
import sys
from importlib import import_module
from typing import cast

import click

_COMMANDS = {
    "serve": ("serve", "Serve MCP over stdio or streamable HTTP."),
    "install": ("install", "Add rc-mcp to the configuration of HOST."),
    "login": ("login", "Log in with your RingCentral account, in the browser."),
    "logout": ("login", "End the session of `rc-mcp login` and delete it here."),
    "demo": ("demo", "Take a guided tour in seconds, without an account or key."),
    "inbox": ("inbox", "Show the inbox in your browser."),
    "emulator": ("emulator", "Serve an emulated RingCentral over HTTP."),
    "mirror": ("mirror", "Keep a local copy of the mailbox, for search."),
    "database": ("database", "Make, migrate and check the tables of a team's PostgreSQL (RC_MCP_DATABASE_URL)."),
    "doctor": ("doctor", "Check configuration, state folder, login and permissions."),
    "approvals": ("approvals", "List, show, approve or deny plans that await approval."),
    "policy": ("policy_check", "Check the operator's policy file, or set the policy of a tenant."),
    "audit": ("audit", "Show operations: request, approval, refusal, result."),
    "undo": ("undo", "Restore the messages that OPERATION deleted."),
    "stop": ("stop", "Stop all deletes now."),
    "resume": ("stop", "Allow deletes again."),
}
"""Each command's module, and the first sentence of its help."""


class _LazyGroup(click.Group):
    """Commands that are imported when they run, so that --help and --version answer fast.

    `rc-mcp` without a command, or with an option of serve, is `rc-mcp serve`: hosts start it so.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        from pydantic import BaseModel  # late: --help needs none of it

        gc.disable()  # imported objects stay; looking for garbage among them takes nearly as long as the import
        # A model's validator is made when it is first used: of the hundreds in the SDK's two protocol eras, few are.
        BaseModel.model_config["defer_build"] = True
        try:
            return getattr(import_module(f"rc_mcp.cli.{_COMMANDS[cmd_name][0]}"), cmd_name)
        finally:
            gc.freeze()
            gc.enable()

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, short_help) for name, (_, short_help) in _COMMANDS.items()])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # A mistyped command is still reported as one, not as a stray argument of serve.
        if not args or (args[0].startswith("-") and args[0] not in {"--help", "-h", "--version"}):
            args = ["serve", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rc-mcp", prog_name="rc-mcp")
def main() -> None:
    """An MCP server for RingCentral messages: voicemails, faxes, texts and pager messages.

    Without a command it serves MCP over stdio, like `rc-mcp serve`.
    """
    stdout: object = sys.stdout
    if isinstance(stdout, io.TextIOWrapper):
        # A character that the terminal's encoding lacks is shown as `?`, so that no name ends a command early.
        cast("io.TextIOWrapper", stdout).reconfigure(errors="replace")


__all__ = ["main"]
