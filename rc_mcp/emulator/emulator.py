"""`Emulator`: a mailbox, its owner's login and the service in front of them, put together."""

from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from rc_mcp.emulator.app import App, SeenRequest
from rc_mcp.emulator.generate import generate
from rc_mcp.emulator.identity import create_identity
from rc_mcp.emulator.office import Office, load_office
from rc_mcp.emulator.serving import address, bound_sockets, serving
from rc_mcp.emulator.sessions import Sessions
from rc_mcp.emulator.store import Store
from rc_mcp.emulator.wire import Addresses

Scenario = Literal["office", "empty"]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Emulator:
    """An embedded RingCentral. Close it, or use it as a context manager, when done.

    `app` is the ASGI application, answering for the platform and the media host alike. `store` is the mailbox
    itself, for looking at the truth and for letting messages arrive. `requests` is what reached the emulator,
    newest last.

    The same `seed` gives the same ids, credentials and generated messages. `messages` adds that many to the
    scenario's own. `permissions` are the app's and `user_permissions` the user's; all that is needed when
    left out. Without `rate_limits` answers carry no limit headers either. One emulator belongs to one thread:
    that of its event loop.
    """

    def __init__(
        self,
        *,
        scenario: Scenario = "office",
        db: str | Path = ":memory:",
        seed: int = 1,
        messages: int | None = None,
        rate_limits: bool = True,
        permissions: Collection[str] | None = None,
        user_permissions: Collection[str] | None = None,
        server_url: str = "http://platform.rc-emulator.test",
        media_url: str = "http://media.rc-emulator.test",
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        office = load_office()
        owner = office.owner_party()
        self._identity = create_identity(
            seed, owner.extension_number or "101", office.colleague_numbers(), permissions, user_permissions
        )
        self._addresses = Addresses(
            server_url.rstrip("/"),
            media_url.rstrip("/"),
            self._identity.account_id,
            self._identity.extension_id,
        )
        self.store = Store(db, addresses=self._addresses, owner=owner, seed=seed, now=now)
        self.app = App(
            store=self.store,
            addresses=self._addresses,
            identity=self._identity,
            rate_limits=rate_limits,
            now=now,
        )
        _fill(self.store, office, scenario, messages or 0, seed, now())

    @property
    def server_url(self) -> str:
        return self._addresses.server_url

    @property
    def media_url(self) -> str:
        return self._addresses.media_url

    @property
    def client_id(self) -> str:
        return self._identity.client_id

    @property
    def client_secret(self) -> str:
        return self._identity.client_secret

    @property
    def jwt(self) -> str:
        return self._identity.jwt

    @property
    def account_id(self) -> str:
        return self._identity.account_id

    @property
    def extension_id(self) -> str:
        return self._identity.extension_id

    @property
    def requests(self) -> list[SeenRequest]:
        return list(self.app.requests)

    @property
    def sessions(self) -> Sessions:
        """The logins, so that a test can end them before their time."""
        return self.app.sessions

    @asynccontextmanager
    async def serve(self, host: str = "127.0.0.1", port: int = 0, media_port: int = 0) -> AsyncGenerator[Self]:
        """Serves on real sockets in the running event loop; both addresses say where it can be reached."""
        before = self._addresses.server_url, self._addresses.media_url
        with bound_sockets(host, port, media_port) as (platform, media):
            self._addresses.server_url, self._addresses.media_url = address(platform), address(media)
            try:
                async with serving({self.app.platform: platform, self.app.media: media}):
                    yield self
            finally:
                self._addresses.server_url, self._addresses.media_url = before

    def close(self) -> None:
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _fill(store: Store, office: Office, scenario: Scenario, count: int, seed: int, start: datetime) -> None:
    """Puts the messages in, once: a database that has been filled keeps what became of them."""
    if store.setting("epoch", 0):
        return
    drafts = office.drafts(start) if scenario == "office" else []
    drafts += generate(count, seed, start)
    # Oldest first, because ids grow with time.
    store.add_all(sorted(drafts, key=lambda draft: draft.created or start))
    store.set_setting("epoch", store.now_ms())
