"""Opens the mailbox of a person: their login, their rate budgets, and the guard with the state of their tenant."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import httpx2 as httpx
from anyio import Semaphore, create_task_group

from rc_mcp import time_limits
from rc_mcp.access import LEVELS
from rc_mcp.guard.guard import Guard
from rc_mcp.guard.state.plans import PlanStore
from rc_mcp.guard.state.store import MonotonicClock
from rc_mcp.inbox.app import AppDoor
from rc_mcp.inbox.desk import Desk
from rc_mcp.inbox.windows import ServerWindows
from rc_mcp.ringcentral import MessageStoreClient, Time
from rc_mcp.server import settle_interrupted_changes
from rc_mcp.session import MailboxSession
from rc_mcp.settings import Settings
from rc_mcp.team.app_secrets import PURPOSE, DerivedSecrets
from rc_mcp.team.budgets import SharedBudgets
from rc_mcp.team.database import Database
from rc_mcp.team.file_links import FileLinks
from rc_mcp.team.inbox_page import PATH as INBOX
from rc_mcp.team.key_ring import KeyRing
from rc_mcp.team.logins import Logins
from rc_mcp.team.people import find
from rc_mcp.team.policies import TenantPolicies
from rc_mcp.team.sessions import NoSession
from rc_mcp.team.sync_tokens import TeamTokens
from rc_mcp.team.tenant_state import GuardDatabase

NOT_KNOWN = "This server does not know you anymore. Nothing was done. Log in again."
_ATTACHMENTS_AT_ONCE = 2
"""Of one person: half of the documents that a replica reads at a time, so that there are some for others."""

_KEEPS_BYTES = 1_000_000
"""Of a document, for each window of the inbox page while a session is open. A fax of ten pages has less."""


@dataclass(frozen=True)
class Mailboxes:
    """Opens the mailbox of a person."""

    settings: Settings
    keys: KeyRing
    policies: TenantPolicies
    database: Database
    states: GuardDatabase
    logins: Logins
    budgets: SharedBudgets
    files: FileLinks
    transport: httpx.AsyncBaseTransport
    clock: MonotonicClock
    time: Time
    _desks: dict[str, Desk] = field(default_factory=dict[str, Desk])

    def desk_of(self, person_id: str) -> Desk:
        """Return what the inbox page of a person shares between its calls, while their session is open."""
        return self._desks[person_id]

    @asynccontextmanager
    async def open(self, person_id: str) -> AsyncGenerator[MailboxSession]:
        """Yield the session of a person.

        Raises:
            NoSession: there is no such person, their account is not served any more, or its policy cannot be used.
            DatabaseAway: the database cannot be used now.
        """
        person, settings = await find(self.database, person_id), self.settings
        if person is None or (settings.accounts and person.account_id not in settings.accounts):
            raise NoSession(NOT_KNOWN)  # a file link needs no token, which would be refused before
        async with (
            self.policies.used_by(person) as policy,
            MessageStoreClient(
                self.logins.auth_for(person),
                server_url=settings.server_url,
                media_url=settings.media_url,
                transport=self.transport,
                max_wait_s=time_limits.RATE_LIMIT_WAIT_S,
                time=self.time,
                budgets=self.budgets.of(person.id),
            ) as client,
            create_task_group() as tasks,
        ):
            plans = PlanStore(self.states.of(person.account_id), self.database.now, self.clock)
            reach = LEVELS.index(settings.access)
            guard = Guard(
                client=client,
                plans=plans,
                principal=person.id,
                approval=settings.approval,
                policy=policy,
                may_purge=reach >= LEVELS.index("purge"),
                may_set_retention=settings.access == "admin",
                approve_page=f"{settings.public_url}{INBOX}",
                undo_command=None,
                zone=settings.timezone,
            )
            tokens = TeamTokens(self.database, self.keys, person.id)
            session = MailboxSession(
                client,
                guard,
                frozenset(),
                self.files.of(person),
                synced=tokens,
                attachments=Semaphore(_ATTACHMENTS_AT_ONCE),
            )
            page_url = f"{settings.public_url}{INBOX}"
            desk = Desk(session, settings.access, "browser", page_url=page_url, keeps_bytes=_KEEPS_BYTES)
            self._desks[person.id] = desk
            tasks.start_soon(settle_interrupted_changes, guard, session.given_up)
            in_app = replace(desk, window="app")
            app_page = AppDoor(in_app, DerivedSecrets(self.keys.derived(PURPOSE), person.id))
            try:
                yield replace(session, app_page=app_page, windows=ServerWindows(app_page, None))
            finally:
                in_app.close()
                if self._desks.get(person.id) is desk:
                    del self._desks[person.id]
                desk.close()
                tasks.cancel_scope.cancel()
