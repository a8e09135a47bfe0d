"""Settings for subcommands, and how subcommands report errors: one line on stderr and an exit code."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import click

from rc_mcp.guard.refusals import GuardError
from rc_mcp.settings import Settings, SettingsError, load_settings, load_state_dir


def settings_or_exit(**overrides: object) -> Settings:
    """Return the settings; exit with code 2 if one of them is wrong."""
    try:
        return load_settings(**overrides)
    except SettingsError as error:
        refuse(str(error))


def refuse(fault: str) -> NoReturn:
    """Print a configuration error and exit with code 2."""
    click.echo(f"rc-mcp: {' '.join(fault.split())}", err=True)
    sys.exit(2)


def fail(fault: str) -> NoReturn:
    """Print an error and exit with code 1."""
    click.echo(f"rc-mcp: {' '.join(fault.split())}", err=True)
    sys.exit(1)


def state_dir() -> Path:
    """Return the state folder, even if other settings are wrong."""
    try:
        return load_state_dir()
    except SettingsError as error:
        refuse(str(error))


@contextmanager
def usable_or_exit() -> Generator[None]:
    """Exit with code 1 if the state folder cannot be used."""
    try:
        yield
    except GuardError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
