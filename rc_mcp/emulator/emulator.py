"""`Emulator`: the mailboxes, their users' logins and the service, in one object."""

import socket
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from rc_mcp.emulator.clock import Clock, utc_now
from rc_mcp.emulator.login.identity import create_account
from rc_mcp.emulator.login.redirect_uris import check_registrable
from rc_mcp.emulator.mailbox.records import Hosts
from rc_mcp.emulator.mailbox.schema import open_database
from rc_mcp.emulator.scenarios.office import load_office
from rc_mcp.emulator.scenarios.scenarios import Scenario, fill, filled_with
from rc_mcp.emulator.scenarios.users import create_users, open_mailboxes
from rc_mcp.emulator.service import admin
from rc_mcp.emulator.service.app import App
from rc_mcp.emulator.service.message_page import DrawPages
from rc_mcp.emulator.service.request_log import SeenRequest
from rc_mcp.emulator.service.serving import address, bound_sockets, serving


class Emulator:
    """An emulated RingCentral. Use it as a context manager, or close it when done.

    `app` is the ASGI application for both the platform and the media host. `store` is the owner's mailbox: read its
    state or add messages. `requests` are the logged requests, newest last. `clock` is the emulator's time and can be
    moved ahead; it follows `now`, `time_scale` times as fast, and is stopped at a scale of 0. `faults` injects faults.
    `sessions` are the logins, which a test can end early.

    `users` are the owner, with `jwt` and `extension_id`, and the colleagues, each with a login. `mailboxes` has a store
    for each, by extension id. `staff` adds that many colleagues, with empty mailboxes. The login page redirects only to
    this machine or to one of `redirect_uris`.

    The same `seed` gives the same ids, credentials and generated messages. `messages` adds that many to the scenario's
    own. `permissions` are the app's and `user_permissions` the owner's; by default, all that the operations need.
    Without `rate_limits`, answers have no limit headers either. With `full_removals`, an incremental sync has whole
    records of removed messages, not only their ids. `draw_pages` draws faxes and pictures for the pages that people
    look at in a browser; without it, these pages show none. Use an emulator only in the thread of its event loop.
    """

    def __init__(
        self,
        *,
        scenario: Scenario = "office",
        db: str | Path = ":memory:",
        seed: int = 1,
        messages: int | None = None,
        staff: int = 0,
        rate_limits: bool = True,
        full_removals: bool = False,
        permissions: Collection[str] | None = None,
        user_permissions: Collection[str] | None = None,
        server_url: str = "http://platform.rc-emulator.test",
        media_url: str = "http://media.rc-emulator.test",
        redirect_uris: Collection[str] = (),
        now: Callable[[], datetime] = utc_now,
        time_scale: float = 1,
        draw_pages: DrawPages | None = None,
    ) -> None:
        self.clock = Clock(now, scale=time_scale)
        self.admin_url: str | None = None
        self._open = True
        office = load_office().with_staff(staff)
        check_registrable(redirect_uris)
        self.users = create_users(office, seed, user_permissions)
        account = create_account(seed, self.users, permissions, redirect_uris)
        self.client_id, self.client_secret = account.client_id, account.client_secret
        self.account_id, self.extension_id, self.jwt = account.account_id, account.owner.extension_id, account.owner.jwt
        self._hosts = Hosts(server_url.rstrip("/"), media_url.rstrip("/"))
        database = open_database(db, self.extension_id)
        self.mailboxes = open_mailboxes(database, office, account, self._hosts, seed, self.clock)
        self.store = self.mailboxes[self.extension_id]
        self.app = App(
            mailboxes=self.mailboxes,
            hosts=self._hosts,
            account=account,
            rate_limits=rate_limits,
            full_removals=full_removals,
            clock=self.clock,
            draw_pages=draw_pages,
        )
        self.faults, self.sessions = self.app.faults, self.app.sessions
        # The database has saved how far its clock was ahead.
        self.clock.advance(seconds=self.store.setting("lead_ms", 0) / 1_000)
        fill(self.mailboxes, office, scenario, messages or 0, seed, self.clock())

    @property
    def server_url(self) -> str:
        return self._hosts.server_url

    @property
    def media_url(self) -> str:
        return self._hosts.media_url

    @property
    def requests(self) -> list[SeenRequest]:
        return list(self.app.requests)

    @property
    def scenario(self) -> Scenario:
        """The scenario that the mailbox was filled with. A database file keeps its first scenario."""
        return filled_with(self.store)

    @asynccontextmanager
    async def serve(
        self, host: str = "127.0.0.1", port: int = 0, media_port: int = 0, admin_port: int | None = None
    ) -> AsyncGenerator[Self]:
        """Serve on real sockets in the running event loop. `server_url` and `media_url` then have the real addresses.

        With an `admin_port`, 0 included, `admin_url` is served too: on the loopback interface, whatever the host is.
        """
        before = self._hosts.server_url, self._hosts.media_url
        admin_ports = [] if admin_port is None else [admin_port]
        with (
            bound_sockets(host, port, media_port) as (platform, media),
            bound_sockets(admin.LOOPBACK, *admin_ports) as admins,
        ):
            self._hosts.server_url, self._hosts.media_url = address(platform), address(media)
            apps = {self.app.platform: platform, self.app.media: media}
            for bound in admins:
                self.admin_url = address(bound)
                apps[admin.Admin(self.app, self.mailboxes, self.clock).application()] = bound
            try:
                async with serving(apps):
                    yield self
            finally:
                self._hosts.server_url, self._hosts.media_url = before
                self.admin_url = None

    @asynccontextmanager
    async def watched(self, bound: socket.socket) -> AsyncGenerator[None]:
        """Serve only the status page and the pages of messages on this socket, to browsers on this machine."""
        async with serving({self.app.pages: bound}):
            yield

    def close(self) -> None:
        """Close the emulator. Closing it again is not an error."""
        if self._open:
            self._open = False
            self.store.set_setting("lead_ms", max(0, self.clock.lead // timedelta(milliseconds=1)))
            self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
