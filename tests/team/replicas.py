"""A team for tests: an office on the emulator, and replicas of the server in front of it, over real HTTP."""

import socket
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2 as httpx
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.auth.provider import AccessToken

from rc_mcp.emulator import Draft, Emulator, Party
from rc_mcp.emulator.mailbox.store import Store
from rc_mcp.inbox.browser import serving
from rc_mcp.ringcentral import JWTAuth
from rc_mcp.settings import Settings, load_settings
from rc_mcp.team.database import Database
from rc_mcp.team.people import Person, admit
from rc_mcp.team.replica import Entrance, Replica, open_replica
from tests.desk import Clock, Era, Faults, no_waiting

PUBLIC_URL = "http://team.test"
KEY = "a-key-of-the-tests-with-32-characters-or-more"


@dataclass
class Team:
    """Replicas on one database and one emulator. A token of a test is the id of a person."""

    emulator: Emulator
    database: Database
    url: str
    replicas: list[Replica] = field(default_factory=list[Replica])
    addresses: list[str] = field(default_factory=list[str])

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

    def receive(self, number: int) -> None:
        """Let a message arrive in this user's mailbox."""
        self.mailbox(number).add(Draft(type="SMS", sender=Party(phone_number="+15005550006"), text="new"))

    def settings(self, **variables: str) -> Settings:
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
        return load_settings(**{**own, **variables})

    def entrance(self) -> Entrance:
        """Let in everyone with a person's id as token, with a login by JWT."""
        jwts = {user.extension_id: user.jwt for user in self.emulator.users}

        def auth_for(person: Person) -> JWTAuth:
            e = self.emulator
            return JWTAuth(e.server_url, e.client_id, e.client_secret, jwts[person.extension_id])

        return Entrance(_Verifier(), [], auth_for)

    @asynccontextmanager
    async def replica(self, **variables: str) -> AsyncGenerator[Replica]:
        """Run one more replica; its address is the last of `addresses`."""
        async with (
            open_replica(
                self.settings(**variables),
                entrance=self.entrance(),
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
        self, person: Person, replica: int = 0, era: Era = "auto", token: str = "", **given: Any
    ) -> AsyncGenerator[Client]:
        """Yield a client of this person at this replica."""
        headers = {"Authorization": f"Bearer {token or person.id}", "Host": "team.test"}
        async with httpx.AsyncClient(headers=headers, timeout=30) as http:
            transport = streamable_http_client(f"{self.addresses[replica]}/mcp", http_client=http)
            async with Client(transport, mode=era, **given) as client:
                yield client


class _Verifier:
    async def verify_token(self, token: str) -> AccessToken | None:
        subject = None if token == "nobody" else token
        return AccessToken(token=token, client_id="test", scopes=[], resource=f"{PUBLIC_URL}/mcp", subject=subject)


@asynccontextmanager
async def team(database: Database, url: str, replicas: int = 2, **variables: str) -> AsyncGenerator[Team]:
    """Yield a team with so many replicas."""
    with Emulator() as emulator:
        made = Team(emulator, database, url)
        async with AsyncExitStack() as running:
            for _ in range(replicas):
                await running.enter_async_context(made.replica(**variables))
            yield made


@asynccontextmanager
async def _on_a_port(replica: Replica) -> AsyncGenerator[str]:
    listening = socket.create_server(("127.0.0.1", 0))
    async with serving(replica.app, listening):
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
