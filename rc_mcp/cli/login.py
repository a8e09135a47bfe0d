"""rc-mcp login and rc-mcp logout: a person's own login, made in their browser and kept on this machine."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from rc_mcp.cli.configured import fail, refuse, settings_or_exit

if TYPE_CHECKING:
    from anyio.abc import Listener, SocketStream

    from rc_mcp.ringcentral import RingCentralError
    from rc_mcp.ringcentral.person import Authorization
    from rc_mcp.ringcentral.token_endpoint import TokenEndpoint
    from rc_mcp.ringcentral.token_store import Tokens
    from rc_mcp.settings import Settings

# Below the ports that systems hand out themselves, and nobody's in IANA's list.
PORT = 28765


@click.command()
@click.option(
    "--port",
    default=PORT,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="The port of the redirect address; 0 lets the system choose.",
)
@click.option("--browser/--no-browser", default=True, show_default=True, help="Open the address in a browser.")
@click.option("--timeout", default=300, show_default=True, type=click.IntRange(1, 3600), help="Seconds to wait.")
def login(port: int, browser: bool, timeout: int) -> None:
    """Log in with your own RingCentral account, in the browser. `rc-mcp serve` then uses that login.

    It takes RC_APP_CLIENT_ID (and RC_APP_CLIENT_SECRET, if the app has one), of an app with the 3-legged OAuth flow,
    for which the redirect address http://127.0.0.1:28765/callback is registered (with --port: that port) and refresh
    tokens are switched on. The login is kept in the system's keyring if rc-mcp[keyring] is installed, else in a file of
    the state folder that only you can read.
    """
    import anyio

    settings = settings_or_exit()
    endpoint = _endpoint(settings)
    try:
        anyio.run(_log_in, settings, endpoint, port, browser, timeout)
    except KeyboardInterrupt:
        fail("Given up. Nobody was logged in.")


@click.command()
def logout() -> None:
    """Log out: end the session of `rc-mcp login` at RingCentral, and forget it."""
    import anyio

    settings = settings_or_exit()
    anyio.run(_log_out, settings, _endpoint(settings))


def _endpoint(settings: "Settings") -> "TokenEndpoint":
    from rc_mcp.ringcentral import InvalidRequest
    from rc_mcp.ringcentral.token_endpoint import TokenEndpoint

    if not settings.client_id:
        refuse("RC_APP_CLIENT_ID is not set: a login is made for an app. rc-mcp login --help says which.")
    try:
        return TokenEndpoint(settings.server_url, settings.client_id, settings.client_secret.get_secret_value())
    except InvalidRequest as error:
        refuse(str(error))


async def _log_in(settings: "Settings", endpoint: "TokenEndpoint", port: int, browser: bool, timeout_s: int) -> None:
    import anyio
    import httpx2 as httpx

    from rc_mcp.cli.redirect import HOST, redirect_uri
    from rc_mcp.ringcentral import RingCentralError
    from rc_mcp.ringcentral.connection import PLAIN_HTTP_DIRECTLY, environment_named
    from rc_mcp.ringcentral.person import Authorization

    try:
        (listener,) = (await anyio.create_tcp_listener(local_host=HOST, local_port=port)).listeners
    except OSError as error:
        fail(f"Port {port} cannot be listened on ({error.strerror}). Free it, or register another: --port.")
    async with listener:
        authorization = Authorization(endpoint, redirect_uri(listener))
        code = await _code(authorization, listener, browser, timeout_s)
    try:
        with environment_named():
            http = httpx.AsyncClient(mounts=PLAIN_HTTP_DIRECTLY, timeout=30)
        async with http:
            tokens = await authorization.exchange(http, code)
        where = await _keep(settings, tokens)
    except RingCentralError as error:
        fail(f"The login failed. {error}")
    click.echo(f"Logged in. The login is kept in {where}.")
    if not tokens.refresh_token:
        click.echo("RingCentral gave no refresh token: this login ends within the hour. Switch them on for the app.")
    for name, value in (("RC_ACCESS_TOKEN", settings.access_token), ("RC_USER_JWT", settings.user_jwt)):
        if value:
            click.echo(f"{name} is set, and goes first. Unset it to use this login.", err=True)


async def _code(
    authorization: "Authorization", listener: "Listener[SocketStream]", browser: bool, timeout_s: int
) -> str:
    import anyio

    from rc_mcp.cli.redirect import answer_to
    from rc_mcp.ringcentral.answers import plain

    click.echo(f"Log in here:\n{authorization.url}")
    answer = None
    with anyio.move_on_after(timeout_s):
        async with anyio.create_task_group() as tasks:
            if browser:
                tasks.start_soon(_open_browser, authorization.url)
            answer = await answer_to(listener, authorization.state)
            tasks.cancel_scope.cancel()
    if answer is None:
        fail(f"Nobody logged in within {timeout_s} s. Nobody is logged in by this; run rc-mcp login again.")
    if "code" not in answer:
        fail(f"RingCentral did not let you in: {plain(answer.get('error'), 64) or 'no reason was given'}.")
    return answer["code"]


async def _open_browser(url: str) -> None:
    import webbrowser

    from anyio import to_thread

    # Some browsers run in the terminal and come back when they are closed.
    opened: Callable[[str], bool] = webbrowser.open
    if not await to_thread.run_sync(opened, url, abandon_on_cancel=True):
        click.echo("No browser could be opened; open the address yourself.", err=True)


async def _keep(settings: "Settings", tokens: "Tokens") -> str | None:
    from rc_mcp.login import login_store
    from rc_mcp.ringcentral.token_store import alone

    store = login_store(settings)
    async with alone(store.lock_file):
        store.save(tokens)
    return store.where()


async def _revoked(endpoint: "TokenEndpoint", tokens: "Tokens") -> "RingCentralError | None":
    """What kept RingCentral from ending the session."""
    import httpx2 as httpx

    from rc_mcp.ringcentral import NotSent
    from rc_mcp.ringcentral.connection import PLAIN_HTTP_DIRECTLY, environment_named
    from rc_mcp.ringcentral.person import revoke

    try:
        with environment_named():
            http = httpx.AsyncClient(mounts=PLAIN_HTTP_DIRECTLY, timeout=30)
    except NotSent as error:
        return error
    async with http:
        return await revoke(http, endpoint, tokens)


async def _log_out(settings: "Settings", endpoint: "TokenEndpoint") -> None:
    from rc_mcp.login import login_store
    from rc_mcp.ringcentral import LoginNotKept
    from rc_mcp.ringcentral.token_store import alone

    store = login_store(settings)
    unrevoked = None
    try:
        async with alone(store.lock_file):
            try:
                tokens = store.load()
                if tokens:
                    unrevoked = await _revoked(endpoint, tokens)
            finally:
                store.clear()
    except LoginNotKept as error:
        fail(str(error))
    if unrevoked:
        click.echo(f"rc-mcp: RingCentral was not told, so the session ends by itself later. {unrevoked}", err=True)
    click.echo("Logged out." if tokens else "Nobody was logged in.")
