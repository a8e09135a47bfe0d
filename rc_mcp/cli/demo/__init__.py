"""rc-mcp demo: a guided tour in the terminal, which checks what it claims."""

import sys

import click


@click.command()
def demo() -> None:
    """Take a guided tour: no account, no key, some seconds.

    It starts an embedded RingCentral with a made-up mailbox, and the real server in front of it; reads, marks,
    deletes, restores, and is refused a purge. Exits with 1 if anything it claims is not so.
    """
    import anyio

    from rc_mcp.cli.demo.screen import Screen
    from rc_mcp.cli.demo.tour import take_tour
    from rc_mcp.cli.terminal import terminal

    screen = Screen(terminal())
    anyio.run(take_tour, screen)
    sys.exit(1 if screen.failed else 0)
