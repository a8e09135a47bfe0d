"""A team for tests: an office on the emulator, and replicas of the server in front of it, over real HTTP."""

import re
import socket
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import httpx2 as httpx
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from rc_mcp.emulator import Draft, Emulator, Party
from rc_mcp.emulator.login.identity import User
from rc_mcp.emulator.mailbox.store import Store
from rc_mcp.inbox.browser import serving
from rc_mcp.settings import Settings, load_settings
from rc_mcp.team.database import Database
from rc_mcp.team.oauth.login_attempts import Asked
from rc_mcp.team.people import Person, admit
from rc_mcp.team.replica import Replica, open_replica
from tests.desk import Clock, Era, Faults, no_waiting

PUBLIC_URL = "https://team.test"
KEY = "a-key-of-the-tests-with-32-characters-or-more"


@dataclass
class Team:
    """Replicas on one database and one emulator."""

    emulator: Emulator
    database: Database
    url: str
    replicas: list[Replica] = field(default_factory=list[Replica])
    addresses: list[str] = field(default_factory=list[str])
    tokens: dict[int, str] = field(default_factory=dict[int, str])
    """The access token of each user who has logged in."""

    async def person(self, number: int) -> Person:
        """Return the person of this user of the office."""
        user = self.emulator.users[number]
        return await admit(self.database, self.emulator.server_url, self.emulator.account_id, user.extension_id)

    def mailbox(self, number: int) -> Store:
        """Return the mailbox of this user."""
        return self.emulator.mailboxes[self.emulator.users[number].extension_id]

    def ids(self, number: int) -> list[str]:
        """Return the ids of this user's messages, newest first, as the mailbox itself has them."""
        return [str(message["id"]) for message in self.mailbox(number).messages()]

    def user(self, number: int) -> User:
        """Return this user of the office."""
        return self.emulator.users[number]

    def availability(self, number: int, message_id: str) -> str | None:
        """Return what this user's mailbox itself says."""
        message = self.mailbox(number).message(message_id)
        return None if message is None else message["availability"]

    def deletes(self) -> list[str]:
        """Return the paths of the deletes that reached RingCentral."""
        return [request.path for request in self.emulator.requests if request.method == "DELETE"]

    def receive(self, number: int) -> None:
        """Let a message arrive in this user's mailbox."""
        self.mailbox(number).add(Draft(type="SMS", sender=Party(phone_number="+15005550006"), text="new"))

    def settings(self, **variables: str) -> Settings:
        return load_settings(**self.variables(**variables))

    def variables(self, **variables: str) -> dict[str, str]:
        own = {
            "RC_SERVER_URL": self.emulator.server_url,
            "RC_MEDIA_URL": self.emulator.media_url,
            "RC_APP_CLIENT_ID": self.emulator.client_id,
            "RC_APP_CLIENT_SECRET": self.emulator.client_secret,
            "RC_MCP_DATABASE_URL": self.url,
            "RC_MCP_PUBLIC_URL": PUBLIC_URL,
            "RC_MCP_SECRET_KEYS": KEY,
            "RC_MCP_TIMEZONE": "America/Los_Angeles",
        }
        return {**own, **variables}

    async def log_in(self, number: int) -> str:
        """Log this user in at RingCentral, for an MCP client; return the client's access token."""
        grants, code = self.replicas[0].authorization.grants, await self.code(number)
        found = await grants.code(code, "test")
        assert found
        return (await grants.exchange(found)).access_token

    async def code(self, number: int) -> str:
        """Log this user in at RingCentral; return the code for the client."""
        server, user = self.replicas[0].authorization, self.emulator.users[number]
        asked = Asked(
            client_id="test", redirect_uri="http://127.0.0.1/", names_redirect_uri=True, state=None, code_challenge=""
        )
        back = parse_qs(urlsplit(await self.at_ringcentral(await server.begin_login(asked, "browser"), user)).query)
        found, verifier = await server.attempts.take(back["state"][0], "browser")
        return await server.end_login(found, verifier, back["code"][0])

    async def at_ringcentral(self, address: str, user: User) -> str:
        """Log a user in on RingCentral's page at this address; return the address that it leads back to."""
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=self.emulator.app)) as http:
            page = await http.get(address)
            hidden = re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', page.text)
            form = {name: unescape(value) for name, value in hidden}
            form |= {"username": user.username, "password": user.password}
            answer = await http.post(f"{self.emulator.server_url}/restapi/oauth/authorize", data=form)
            return answer.headers["location"]

    @asynccontextmanager
    async def replica(self, **variables: str) -> AsyncGenerator[Replica]:
        """Run one more replica; its address is the last of `addresses`."""
        async with (
            open_replica(
                self.settings(**variables),
                transport=Faults(self.emulator),
                clock=Clock().elapsed,
                time=no_waiting(),
            ) as replica,
            _on_a_port(replica) as address,
        ):
            self.replicas.append(replica)
            self.addresses.append(address)
            yield replica

    @asynccontextmanager
    async def client(
        self, user: int | str, replica: int = 0, era: Era = "auto", **given: Any
    ) -> AsyncGenerator[Client]:
        """Yield a client at this replica, of this user or with this token."""
        if isinstance(user, int):
            self.tokens[user] = self.tokens.get(user) or await self.log_in(user)
        token = user if isinstance(user, str) else self.tokens[user]
        headers = {"Authorization": f"Bearer {token}", "Host": "team.test"}
        async with httpx.AsyncClient(headers=headers, timeout=30) as http:
            transport = streamable_http_client(f"{self.addresses[replica]}/mcp", http_client=http)
            async with Client(transport, mode=era, **given) as client:
                yield client


@asynccontextmanager
async def team(database: Database, url: str, replicas: int = 2, **variables: str) -> AsyncGenerator[Team]:
    """Yield a team with so many replicas."""
    with Emulator(redirect_uris=[f"{PUBLIC_URL}/login/ringcentral"]) as emulator:
        made = Team(emulator, database, url)
        async with bare_errors(), AsyncExitStack() as running:
            for _ in range(replicas):
                await running.enter_async_context(made.replica(**variables))
            yield made


@asynccontextmanager
async def _on_a_port(replica: Replica) -> AsyncGenerator[str]:
    listening = socket.create_server(("127.0.0.1", 0))
    async with serving(replica.app, listening):
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@asynccontextmanager
async def bare_errors() -> AsyncGenerator[None]:
    """Raise what happened in the block by itself, without the groups of the tasks around it."""
    try:
        yield
    except BaseExceptionGroup as group:
        raise _innermost(group) from None


def _innermost(error: BaseException) -> BaseException:
    if not isinstance(error, BaseExceptionGroup):
        return error
    return _innermost(cast("BaseExceptionGroup[BaseException]", error).exceptions[0])
