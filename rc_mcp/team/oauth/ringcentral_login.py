"""Logging a person in at RingCentral, and finding out who it was."""

from collections.abc import Callable
from time import time

import anyio
import httpx2 as httpx

from rc_mcp import time_limits
from rc_mcp.ringcentral import Forbidden, RingCentralError, UnexpectedAnswer
from rc_mcp.ringcentral.oauth.token_endpoint import TokenEndpoint, read_bounded
from rc_mcp.ringcentral.oauth.token_store import Tokens
from rc_mcp.ringcentral.oauth.user_login import Authorization, revoke
from rc_mcp.ringcentral.transport.connection import PLAIN_HTTP_DIRECTLY, environment_named, failures_named
from rc_mcp.ringcentral.transport.deadlines import in_time
from rc_mcp.ringcentral.transport.responses import fields_of, parsed, refusal
from rc_mcp.team.database import DatabaseAway

_UNDONE_IN_S = 5.0
_OWN = "/restapi/v1.0/account/~/extension/~"
NO_READ_ACCOUNTS = "RingCentral does not say who logged in. The operator must give the app the permission ReadAccounts."


class RingCentralLogin:
    """RingCentral's login for our app.

    Args:
        server_url, client_id, client_secret: as for `PersonAuth`.
        redirect_uri: where RingCentral sends the browser.
        transport: carries the requests. Tests set it.
        now: returns seconds since 1970.
    """

    def __init__(
        self,
        server_url: str,
        client_id: str,
        client_secret: str,
        redirect_uri: str,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], float] = time,
    ) -> None:
        self._endpoint = TokenEndpoint(server_url, client_id, client_secret)
        self._redirect_uri = redirect_uri
        self._transport = transport
        self._now = now

    def begin(self) -> Authorization:
        """Return a new attempt: the address for the browser, and what to remember."""
        return Authorization(self._endpoint, self._redirect_uri)

    async def end(self, code: str, verifier: str) -> tuple[Tokens, str, str]:
        """Exchange RingCentral's code. Return the tokens, and the ids of the account and the extension.

        Raises:
            RingCentralError: that failed, and no session is left at RingCentral.
        """
        authorization = Authorization(self._endpoint, self._redirect_uri, verifier=verifier)
        async with self._http() as http:
            tokens = await authorization.exchange(http, code, self._now)
            try:
                return (tokens, *await self._whose(http, tokens))
            except BaseException:
                with anyio.move_on_after(_UNDONE_IN_S, shield=True):
                    await revoke(http, self._endpoint, tokens)
                raise

    async def undo(self, tokens: Tokens) -> None:
        """End a session that will not be used."""
        async with self._http() as http:
            await revoke(http, self._endpoint, tokens)

    async def _whose(self, http: httpx.AsyncClient, tokens: Tokens) -> tuple[str, str]:
        headers = {
            "Authorization": f"Bearer {tokens.access_token}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",  # `read_bounded` decodes nothing
        }
        request = http.build_request("GET", self._endpoint.server.join(_OWN), headers=headers)
        with failures_named(request):
            with in_time(request):
                answer = await http.send(request, stream=True)
            await read_bounded(answer)
        body = parsed(answer.content, tokens.access_token)
        if not answer.is_success:
            raise refusal(answer.status_code, body, answer.headers, method="GET", path=_OWN)
        extension = fields_of(body)
        account_id, extension_id = fields_of(extension.get("account")).get("id"), extension.get("id")
        if not _is_id(account_id) or not _is_id(extension_id):
            raise UnexpectedAnswer("RingCentral did not say who logged in", status=answer.status_code)
        return str(account_id), str(extension_id)

    def _http(self) -> httpx.AsyncClient:
        with environment_named():
            return httpx.AsyncClient(
                transport=self._transport,
                mounts=PLAIN_HTTP_DIRECTLY,
                timeout=time_limits.LOGIN_STEP_S,
                follow_redirects=False,
            )


def advice_on(error: RingCentralError | DatabaseAway) -> str:
    """Return the sentence for a client whose login failed."""
    if isinstance(error, Forbidden):
        return NO_READ_ACCOUNTS
    return f"The login failed ({type(error).__name__}). You are not logged in. Try again in a minute."


def _is_id(value: object) -> bool:
    return (
        isinstance(value, int | str) and not isinstance(value, bool) and str(value).isascii() and str(value).isdigit()
    )
