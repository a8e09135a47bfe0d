"""Settings for a subcommand: what is wrong with them is one line on stderr and exit code 2."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from pathlib import Path

    from rc_mcp.settings import Settings


def settings_or_exit(**overrides: object) -> "Settings":
    """The settings in force; ends the process with exit code 2 if one of them is wrong."""
    from rc_mcp.settings import SettingsError, load_settings

    try:
        return load_settings(**overrides)
    except SettingsError as error:
        refuse(str(error))


def refuse(fault: str) -> NoReturn:
    """Says in one line what is wrong with the configuration, and ends."""
    click.echo(f"rc-mcp: {' '.join(fault.split())}", err=True)
    sys.exit(2)


def fail(fault: str) -> NoReturn:
    """Says in one line what went wrong, and ends with exit code 1."""
    click.echo(f"rc-mcp: {' '.join(fault.split())}", err=True)
    sys.exit(1)


def state_dir() -> "Path":
    """The state folder in force, whatever is wrong with other settings."""
    from rc_mcp.settings import SettingsError, load_state_dir

    try:
        return load_state_dir()
    except SettingsError as error:
        refuse(str(error))


@contextmanager
def usable_or_exit() -> Generator[None]:
    """Ends with exit code 1 where the state folder cannot be used."""
    from rc_mcp.guard.database import GuardError

    try:
        yield
    except GuardError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
