"""rc-mcp inbox: the inbox page in the user's own browser, without an assistant."""

import json
import signal
import socket
import sys
from typing import Unpack

import anyio
import click

from rc_mcp.cli.exits import fail, refuse, settings_or_exit
from rc_mcp.cli.logs import log_to_stderr
from rc_mcp.guard.policy.rules import Policy
from rc_mcp.inbox.browser import Keys, application, listening_socket, page_address, serving
from rc_mcp.inbox.desk import Desk
from rc_mcp.inbox.opening import open_browser
from rc_mcp.private_files import make_folder
from rc_mcp.ringcentral import InvalidRequest
from rc_mcp.server import settle_interrupted_changes
from rc_mcp.settings import Settings, SettingsError
from rc_mcp.wiring import SessionArguments, client_for, open_session, policy_for

NO_BROWSER = "No browser could be opened. Open the address yourself: it is valid for 10 minutes, and once."


@click.command()
@click.option("--demo", is_flag=True, help="Use the emulator: a made-up mailbox, no account.")
@click.option("--port", default=0, show_default=True, type=click.IntRange(0, 65535), help="0 lets the system choose.")
@click.option("--browser/--no-browser", default=True, show_default=True, help="Open the page in a browser.")
def inbox(demo: bool, port: int, browser: bool) -> None:
    """Show the inbox in your browser.

    It has messages, voicemails to play, faxes to page through, and the plans that wait for your yes.

    The first line on stdout is a JSON object with the page's `url`. It opens one page, once; only this machine can
    reach it. What you approve there is carried out at once. Ctrl-C ends it.
    """
    log_to_stderr()
    if demo:
        from rc_mcp.cli.demo.server import demo as demo_mailbox  # late: only a demo needs the emulator

        with demo_mailbox(None, quiet=True) as made_up:
            _run(made_up.settings, port, browser, **made_up.arguments)
    else:
        settings = settings_or_exit()
        try:
            client_for(settings)
        except (SettingsError, InvalidRequest) as error:
            refuse(str(error))
        _run(settings, port, browser)


def _run(settings: Settings, port: int, browser: bool, **opened: Unpack[SessionArguments]) -> None:
    try:
        policy = policy_for(settings)
        make_folder(settings.state_dir)
        with listening_socket(port) as listening:
            anyio.run(serve, settings, policy, listening, browser, opened)
    except SettingsError as error:
        refuse(str(error))
    except OSError as error:
        fail(f"The page cannot be served ({error.strerror}). Use another --port, or check the state folder.")
    except KeyboardInterrupt:
        pass  # Windows has no other way


async def serve(
    settings: Settings, policy: Policy, listening: socket.socket, browser: bool, opened: SessionArguments
) -> None:
    """Serve the page on a socket until SIGINT or SIGTERM."""
    port: int = listening.getsockname()[1]
    async with open_session(settings, policy, **opened) as session:
        keys, desk = Keys(), Desk(session, settings.access, "browser")
        async with serving(application(desk, keys, port), listening), anyio.create_task_group() as tasks:
            tasks.start_soon(settle_interrupted_changes, session.guard)
            url = page_address(port, keys.new())
            click.echo(json.dumps({"url": url}))
            if browser and not await open_browser(url):
                click.echo(NO_BROWSER, err=True)
            await _interrupted()
            tasks.cancel_scope.cancel()
        desk.close()


async def _interrupted() -> None:
    if sys.platform == "win32":
        await anyio.sleep_forever()
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            return
