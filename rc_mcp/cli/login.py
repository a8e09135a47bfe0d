"""rc-mcp login and rc-mcp logout: a user's own login, made in the browser and stored on this machine."""

import webbrowser
from collections.abc import Callable
from importlib.util import find_spec

import anyio
import click
import httpx2 as httpx
from anyio import to_thread
from anyio.abc import Listener, SocketStream

from rc_mcp import time_limits
from rc_mcp.cli.exits import fail, refuse, settings_or_exit
from rc_mcp.cli.login_callback import HOST, answer_to, redirect_uri
from rc_mcp.ringcentral import InvalidRequest, LoginNotKept, NotSent, RingCentralError
from rc_mcp.ringcentral.oauth.token_endpoint import TokenEndpoint
from rc_mcp.ringcentral.oauth.token_store import Tokens
from rc_mcp.ringcentral.oauth.user_login import Authorization, revoke
from rc_mcp.ringcentral.transport.connection import PLAIN_HTTP_DIRECTLY, environment_named
from rc_mcp.ringcentral.transport.responses import plain
from rc_mcp.settings import Settings
from rc_mcp.wiring import login_store

# Below the ports that systems assign themselves, and unassigned in IANA's list.
PORT = 28765
NOBODY = "Nobody is logged in."
LOGGED_OUT, NOT_LOGGED_IN = "Logged out.", "You were not logged in."
NOT_REVOKED = "RingCentral did not end the session; it expires later."


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
    """Log in with your RingCentral account, in the browser. `rc-mcp serve` then uses that login.

    RC_APP_CLIENT_ID must be set (and RC_APP_CLIENT_SECRET, if the app has one). The app must use the 3-legged OAuth
    flow, with refresh tokens switched on and the redirect address http://127.0.0.1:28765/callback registered (with
    --port: that port). The login is stored in the system's keyring if rc-mcp[keyring] is installed, otherwise in a file
    of the state folder that only you can read.
    """
    settings = settings_or_exit()
    endpoint = _endpoint(settings)
    try:
        anyio.run(_log_in, settings, endpoint, port, browser, timeout)
    except KeyboardInterrupt:
        fail("Interrupted. You were not logged in.")


@click.command()
def logout() -> None:
    """End the session of `rc-mcp login` and delete it here."""
    settings = settings_or_exit()
    if not settings.client_id:
        if not _may_hold_logins(settings):
            click.echo(NOBODY)
            return
        refuse(
            "RC_APP_CLIENT_ID is not set, so it is unknown which login to end. Nothing was done. Set it to the client "
            "ID with which you logged in; the entry in your app's file has it."
        )
    anyio.run(_log_out, settings, _endpoint(settings))


def _may_hold_logins(settings: Settings) -> bool:
    """Return whether a login may be stored here, for any app. The keyring has no list: a lock file shows a login."""
    try:
        kept = [file.suffix for file in (settings.state_dir / "logins").iterdir()]
    except FileNotFoundError:
        return False
    except OSError as error:
        fail(f"The stored logins cannot be read ({error.strerror}). Nothing was done.")
    return ".json" in kept or (".lock" in kept and find_spec("keyring") is not None)


def _endpoint(settings: Settings) -> TokenEndpoint:
    if not settings.client_id:
        refuse("RC_APP_CLIENT_ID is not set. rc-mcp login --help says which app to name there.")
    try:
        return TokenEndpoint(settings.server_url, settings.client_id, settings.client_secret.get_secret_value())
    except InvalidRequest as error:
        refuse(str(error))


async def _log_in(settings: Settings, endpoint: TokenEndpoint, port: int, browser: bool, timeout_s: int) -> None:
    try:
        (listener,) = (await anyio.create_tcp_listener(local_host=HOST, local_port=port)).listeners
    except OSError as error:
        fail(f"Cannot listen on port {port} ({error.strerror}). Free it, or register another and pass it with --port.")
    async with listener:
        authorization = Authorization(endpoint, redirect_uri(listener))
        code = await _code(authorization, listener, browser, timeout_s)
    try:
        async with _http() as http:
            tokens = await authorization.exchange(http, code)
        where = await _keep(settings, tokens)
    except RingCentralError as error:
        fail(f"The login failed. {error}")
    click.echo(f"Logged in. The login is stored in {where}.")
    if not tokens.refresh_token:
        click.echo("This login ends within an hour: RingCentral issued no refresh token. Switch them on for the app.")
    for name, value in (("RC_ACCESS_TOKEN", settings.access_token), ("RC_USER_JWT", settings.user_jwt)):
        if value:
            click.echo(f"{name} is set and takes precedence. Unset it to use this login.", err=True)


async def _code(authorization: Authorization, listener: Listener[SocketStream], browser: bool, timeout_s: int) -> str:
    click.echo(f"Log in here:\n{authorization.url}")
    answer = None
    with anyio.move_on_after(timeout_s):
        async with anyio.create_task_group() as tasks:
            if browser:
                tasks.start_soon(_open_browser, authorization.url)
            answer = await answer_to(listener, authorization.state)
            tasks.cancel_scope.cancel()
    if answer is None:
        fail(f"Timed out after {timeout_s} s without a login. Run rc-mcp login again.")
    if "code" not in answer:
        fail(f"RingCentral refused the login: {plain(answer.get('error'), 64) or 'no reason was given'}.")
    return answer["code"]


async def _open_browser(url: str) -> None:
    # Some browsers run in the terminal, and this call only returns when they are closed.
    opened: Callable[[str], bool] = webbrowser.open
    if not await to_thread.run_sync(opened, url, abandon_on_cancel=True):
        click.echo("No browser could be opened; open the address yourself.", err=True)


async def _keep(settings: Settings, tokens: Tokens) -> str | None:
    store = login_store(settings)
    async with store.locked():
        store.save(tokens)
    return store.where()


async def _revoked(endpoint: TokenEndpoint, tokens: Tokens) -> RingCentralError | None:
    """Return the error that kept RingCentral from ending the session, if any."""
    try:
        http = _http()
    except NotSent as error:
        return error
    async with http:
        return await revoke(http, endpoint, tokens)


def _http() -> httpx.AsyncClient:
    with environment_named():
        return httpx.AsyncClient(mounts=PLAIN_HTTP_DIRECTLY, timeout=time_limits.LOGIN_STEP_S)


async def _log_out(settings: Settings, endpoint: TokenEndpoint) -> None:
    store = login_store(settings)
    unrevoked = None
    try:
        async with store.locked():
            try:
                tokens = store.load()
                if tokens:
                    unrevoked = await _revoked(endpoint, tokens)
            finally:
                store.clear()
    except LoginNotKept as error:
        fail(str(error))
    if unrevoked:
        click.echo(f"rc-mcp: {NOT_REVOKED} {unrevoked}", err=True)
    click.echo(LOGGED_OUT if tokens else NOT_LOGGED_IN)
