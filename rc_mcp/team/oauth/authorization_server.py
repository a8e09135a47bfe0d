"""The authorization server, as the SDK's handlers and our pages use it.

client                        here                          RingCentral
/authorize ----------------->  request checked, sealed
browser, consent page <------  the person agrees -------->  login page
browser, /login/ringcentral <-----------------------------  RingCentral's code
                               person admitted, login kept
redirect URI <---------------  our code
/token --------------------->  our tokens
"""

from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Protocol

import anyio
from mcp.server.auth.provider import AccessToken, AuthorizationParams, OAuthAuthorizationServerProvider, RefreshToken
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

from rc_mcp.ringcentral import RingCentralError
from rc_mcp.ringcentral.oauth.token_store import Tokens
from rc_mcp.team.database import Database, DatabaseAway
from rc_mcp.team.key_ring import KeyRing
from rc_mcp.team.oauth.addresses import Addresses
from rc_mcp.team.oauth.client_documents import ClientDocuments
from rc_mcp.team.oauth.clients import Clients
from rc_mcp.team.oauth.grants import Grants, PersonsCode, PersonsRefreshToken, PersonsToken
from rc_mcp.team.oauth.login_attempts import Asked, LoginAttempts
from rc_mcp.team.oauth.ringcentral_login import RingCentralLogin
from rc_mcp.team.people import Person, admit

ANOTHER_ACCOUNT = (
    "This server is not for people of the RingCentral account {account_id}. You are not logged in. Its operator can "
    "allow the account with RC_MCP_ACCOUNTS."
)
_TIDIED_EVERY_S = 600.0
_UNDONE_IN_S = 5.0


class KeepsLogins(Protocol):
    """The logins of people at RingCentral: `rc_mcp.team.logins.Logins`."""

    async def keep(self, person: Person, tokens: Tokens) -> None:
        """Keep a new login instead of the former one."""
        ...

    async def forget(self, person: Person) -> None:
        """End the login at RingCentral, and remove it."""
        ...


class AnotherAccount(Exception):  # noqa: N818  a state
    """The person who logged in is of an account that this server does not serve. The text is for them."""


class AuthorizationServer(OAuthAuthorizationServerProvider[PersonsCode, PersonsRefreshToken, PersonsToken]):
    """Issues codes and tokens to MCP clients, and checks them. It is also the SDK's `TokenVerifier`.

    Args:
        server_url: RingCentral's address.
        login: RingCentral's login for our app.
        logins: where a person's login is kept.
        accounts: the only accounts whose people are let in; empty: all.
        documents: the clients that publish a document. Tests have documents on this machine.
    """

    def __init__(
        self,
        database: Database,
        keys: KeyRing,
        addresses: Addresses,
        server_url: str,
        login: RingCentralLogin,
        logins: KeepsLogins,
        *,
        accounts: AbstractSet[str] = frozenset(),
        documents: ClientDocuments | None = None,
    ) -> None:
        self.addresses = addresses
        self.clients = Clients(database, documents or ClientDocuments())
        self.grants = Grants(database, keys, addresses)
        self.attempts = LoginAttempts(database, keys)
        self._accounts = accounts
        self._database = database
        self._server_url = server_url
        self._login = login
        self._logins = logins

    async def begin_login(self, asked: Asked, browser: str) -> str:
        """Begin the login at RingCentral of a person who agreed. Return the address for this browser.

        Raises:
            DatabaseAway: the database cannot be used now.
        """
        begun = self._login.begin()
        await self.attempts.begin(asked, browser, begun.state, begun.verifier)
        return begun.url

    async def end_login(self, asked: Asked, verifier: str, code: str) -> str:
        """Take RingCentral's code: admit the person, keep their login, and return our code for the client.

        Raises:
            RingCentralError: RingCentral issued no tokens.
            AnotherAccount: this server is not for this person; their session at RingCentral was ended.
            LoginNotKept, DatabaseAway: the login cannot be kept now.
        """
        tokens, account_id, extension_id = await self._login.end(code, verifier)
        try:
            self._refuse_other_accounts(account_id)
            person = await admit(self._database, self._server_url, account_id, extension_id)
            # First the grant: a login that serves no client is taken for needless.
            our_code = await self.grants.begin(person, asked)
            await self.clients.was_used(asked.client_id)
            await self._logins.keep(person, tokens)
        except BaseException:
            with anyio.move_on_after(_UNDONE_IN_S, shield=True):
                await self._login.undo(tokens)
            raise
        return our_code

    async def end_grant(self, token: str, client_id: str) -> None:
        """End the grant of a token, and the person's login at RingCentral if it was their last grant.

        Raises:
            DatabaseAway: the database cannot be used now.
        """
        person = await self.grants.end_of(token, client_id)
        if person and not await self.grants.has_any(person):
            with suppress(RingCentralError):  # then the next `tidy` has it
                await self._logins.forget(person)

    async def log_out(self, person: Person) -> tuple[int, bool]:
        """End all grants of a person, and their login at RingCentral.

        Return how many grants there were, and whether the login has ended. If not, the next `tidy` ends it.

        Raises:
            DatabaseAway: the database cannot be used now.
        """
        ended = await self.grants.end_all_of(person)
        try:
            await self._logins.forget(person)
        except RingCentralError:
            return ended, False
        return ended, True

    async def tidy(self) -> None:
        """Remove what has expired, and end logins at RingCentral that serve no client.

        Raises:
            DatabaseAway: the database cannot be used now.
        """
        await self.attempts.forget_expired()
        await self.clients.forget_unused()
        await self.grants.forget_expired()
        if self._accounts:
            await self.grants.end_all_but_of(self._accounts)
        for person in await self.grants.needless_logins():
            if not await self.grants.has_any(person):  # nobody logged in while the others were forgotten
                with suppress(RingCentralError):  # the next round has it
                    await self._logins.forget(person)

    async def keep_tidy(self) -> None:
        """Tidy every ten minutes, until canceled."""
        while True:
            await anyio.sleep(_TIDIED_EVERY_S)
            try:
                await self.tidy()
            except DatabaseAway:
                continue  # the next round has it

    async def verify_token(self, token: str) -> PersonsToken | None:
        """Return a good access token with its person.

        Raises:
            DatabaseAway: the database cannot be used now. `SaysWhenAway` answers with it.
        """
        found = await self.grants.access_token(token)
        return found if found and self._serves(found.person.account_id) else None

    def _refuse_other_accounts(self, account_id: str) -> None:
        if not self._serves(account_id):
            raise AnotherAccount(ANOTHER_ACCOUNT.format(account_id=account_id))

    def _serves(self, account_id: str) -> bool:
        return not self._accounts or account_id in self._accounts

    # What follows is called by the SDK's handlers of /token and /register.

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        """Return a client that only has its id: no client has a secret, and its codes and tokens are bound to its id.

        So a client whose document cannot be read for now stays logged in.
        """
        return OAuthClientInformationFull(client_id=client_id, token_endpoint_auth_method="none")  # noqa: S106

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        await self.clients.register(client_info)

    async def authorize(self, client: OAuthClientInformationFull, params: AuthorizationParams) -> str:
        raise NotImplementedError("the SDK's handler of /authorize is not used: see authorize.py")

    async def load_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: str
    ) -> PersonsCode | None:
        return await self.grants.code(authorization_code, client.client_id)

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: PersonsCode
    ) -> OAuthToken:
        return await self.grants.exchange(authorization_code)

    async def load_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: str
    ) -> PersonsRefreshToken | None:
        return await self.grants.refresh_token(refresh_token, client.client_id)

    async def exchange_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: PersonsRefreshToken, scopes: list[str]
    ) -> OAuthToken:
        return await self.grants.renew(refresh_token)

    async def load_access_token(self, token: str) -> PersonsToken | None:
        return await self.verify_token(token)

    async def revoke_token(self, token: AccessToken | RefreshToken) -> None:
        await self.end_grant(token.token, token.client_id)
