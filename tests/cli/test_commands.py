"""`rc-mcp --help` lists commands without importing them."""

import click

from rc_mcp.cli import main


def test_the_table_of_commands_matches_their_help() -> None:
    context = click.Context(main)
    formatter = context.make_formatter()
    main.format_commands(context, formatter)
    listed = " ".join(formatter.getvalue().split())
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        assert f"{name} {' '.join((command.help or '').split()).partition('. ')[0].removesuffix('.')}." in listed
