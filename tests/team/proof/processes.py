"""Replicas as the operator runs them: `rc-mcp serve --http --team`, each a process of its own.

The emulator stays in the test's process, on real sockets, so that a test sees each request as it arrives and can kill a
replica at that moment. All replicas go by one public address, as behind a proxy.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from threading import Thread

import anyio
import httpx2 as httpx
from anyio import to_thread

from rc_mcp.emulator import Emulator
from tests.team.proof.entrance import Entrance
from tests.team.proof.practice import Practice
from tests.team.proof.talk import OverSocket, Said

PUBLIC_URL = "http://127.0.0.1:8999"
KEYS = "a-key-of-the-proof-with-32-characters-or-more"
STARTS_WITHIN_S = 60.0


def environment(emulator: Emulator, database_url: str, keys: str = KEYS) -> dict[str, str]:
    """Return the operator's settings for a team on this emulator."""
    return {
        "RC_SERVER_URL": emulator.server_url,
        "RC_MEDIA_URL": emulator.media_url,
        "RC_APP_CLIENT_ID": emulator.client_id,
        "RC_APP_CLIENT_SECRET": emulator.client_secret,
        "RC_MCP_DATABASE_URL": database_url,
        "RC_MCP_PUBLIC_URL": PUBLIC_URL,
        "RC_MCP_SECRET_KEYS": keys,
    }


@dataclass
class ReplicaProcess:
    """One process, and the lines that it wrote on stderr."""

    process: subprocess.Popen[str]
    http: httpx.AsyncClient
    log: list[str] = field(default_factory=list[str])
    address: str = ""

    def __post_init__(self) -> None:
        self._reading = Thread(target=self._read, daemon=True)

    @property
    def line(self) -> OverSocket:
        return OverSocket(self.address, self.http)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def kill(self) -> None:
        """End it with SIGKILL, and wait until it is gone."""
        self.process.kill()
        await to_thread.run_sync(self._ended)

    async def started(self) -> None:
        """Wait for the line that says where it listens."""
        self._reading.start()
        with anyio.fail_after(STARTS_WITHIN_S):
            while not self.address:
                if self.process.poll() is not None:
                    raise AssertionError(f"it did not start: {self.log}")
                await anyio.sleep(0.02)  # a thread reads the pipe

    def _ended(self) -> None:
        self.process.wait()
        if self._reading.ident:
            self._reading.join()
        if self.process.stderr:
            self.process.stderr.close()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for said in self.process.stderr:
            self.log.append(said)
            if not self.address and (running := re.search(r"running on (http://127\.0\.0\.1:\d+)", said)):
                self.address = running[1]


@dataclass
class Replicas:
    """The replicas of a practice, the client's way to them, and how to start one more."""

    practice: Practice
    settings: Mapping[str, str]
    http: httpx.AsyncClient
    entrance: Entrance
    running: list[ReplicaProcess] = field(default_factory=list[ReplicaProcess])
    _turn: int = 0

    async def start(self, **other: str) -> ReplicaProcess:
        """Start a replica, with other settings if a test wants them."""
        outside = {name: value for name, value in os.environ.items() if not name.startswith("RC_")}
        process = subprocess.Popen(
            [sys.executable, "-m", "rc_mcp", "serve", "--http", "--team", "--port", "0"],
            env={**outside, **self.settings, **other},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        replica = ReplicaProcess(process, self.http)
        self.running.append(replica)
        await replica.started()
        return replica

    async def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Said:
        """Send a request of a browser or a client: to the replicas in turn, or to RingCentral."""
        if not url.startswith(PUBLIC_URL):
            answer = await self.http.request(method, url, headers=dict(headers), content=body)
            return Said(answer.status_code, tuple(answer.headers.multi_items()), answer.content)
        alive = [replica for replica in self.running if replica.process.poll() is None]
        self._turn += 1
        return await alive[self._turn % len(alive)].line.ask(method, url, headers, body)

    async def let_in(self, count: int) -> None:
        """Register the client, and log the first members in."""
        await self.entrance.register()
        for member in self.practice.members[:count]:
            await self.entrance.let_in(member)


@asynccontextmanager
async def replicas(practice: Practice, database_url: str, number: int, **other: str) -> AsyncGenerator[Replicas]:
    """Serve the emulator, and start replicas before it. What they logged is searched for canaries at the end."""
    async with AsyncExitStack() as stack:
        practice.watch_sockets()
        await stack.enter_async_context(practice.emulator.serve())
        http = await stack.enter_async_context(httpx.AsyncClient(follow_redirects=False, timeout=60, trust_env=False))
        settings = {**environment(practice.emulator, database_url), **other}
        all_of_them = Replicas(practice, settings, http, None)  # type: ignore[arg-type]  # they know each other
        all_of_them.entrance = Entrance(PUBLIC_URL, all_of_them.send)
        try:
            for _ in range(number):
                await all_of_them.start()
            yield all_of_them
        finally:
            with anyio.CancelScope(shield=True):
                for replica in all_of_them.running:
                    await replica.kill()
        for replica in all_of_them.running:
            said = "".join(replica.log).encode()
            assert practice.canaries.others(said, -2) == [], "a canary in the log"


def tail(replicas: Sequence[ReplicaProcess]) -> str:
    """Return the last lines of each log, for the message of a failure."""
    return "\n".join("".join(replica.log[-5:]) for replica in replicas)
