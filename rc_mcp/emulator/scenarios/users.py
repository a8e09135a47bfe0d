"""The office's users: their logins, their mailboxes, and the messages in these at the start."""

import sqlite3
from collections.abc import Callable, Collection
from datetime import datetime

from rc_mcp.emulator.login.identity import ADMINISTRATOR_PERMISSIONS, STAFF_PERMISSIONS, Account, User, create_user
from rc_mcp.emulator.mailbox import ids
from rc_mcp.emulator.mailbox.records import Addresses, Hosts
from rc_mcp.emulator.mailbox.store import Store
from rc_mcp.emulator.scenarios.generate import generate
from rc_mcp.emulator.scenarios.office import ME, Office

_VOICEMAILS_EACH = 2


def create_users(office: Office, seed: int, owner_permissions: Collection[str] | None) -> list[User]:
    """Create the owner, who is an administrator, and the colleagues in the order of their logins."""
    permissions = ADMINISTRATOR_PERMISSIONS if owner_permissions is None else owner_permissions
    owner = create_user(seed, office.owner, office.logins[ME].username, permissions, jwt="jwt")
    return [owner, *(_colleague(office, key, seed) for key in office.colleagues())]


def open_mailboxes(
    database: sqlite3.Connection, office: Office, account: Account, hosts: Hosts, seed: int, now: Callable[[], datetime]
) -> dict[str, Store]:
    """Open every user's mailbox, by extension id.

    Message ids are unique across mailboxes: they grow in steps of thousands, and each mailbox has another first id.
    """
    owners = map(office.party, [ME, *office.colleagues()])
    return {
        user.extension_id: Store(
            database,
            addresses=Addresses(hosts, account.account_id, user.extension_id),
            owner=owner,
            seed=seed,
            now=now,
            first_id=ids.FIRST_ID + at,
        )
        for at, (user, owner) in enumerate(zip(account.users, owners, strict=True))
    }


def fill_colleagues(mailboxes: dict[str, Store], office: Office, seed: int, start: datetime) -> None:
    """Add a few messages to each colleague's mailbox: pager messages with the owner, and voicemails."""
    for key in office.colleagues():
        party = office.people[key]
        voicemails = generate(_VOICEMAILS_EACH, seed * 1_000 + int(party.extension_number or 0), start, ["VoiceMail"])
        drafts = [*office.pager_messages(key, start), *voicemails]
        mailboxes[party.extension_id or ""].add_all(sorted(drafts, key=lambda draft: draft.created or start))


def _colleague(office: Office, key: str, seed: int) -> User:
    party, login = office.people[key], office.logins[key]
    permissions = STAFF_PERMISSIONS if login.permissions is None else login.permissions
    return create_user(seed, party, login.username, permissions, jwt=f"jwt {party.extension_number}")
