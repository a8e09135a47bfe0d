"""Which mailbox of the copy is a login's own: the copy knows mailboxes by the ids of their account and extension."""

import re
from collections.abc import Iterable

from anyio import to_thread

from rc_mcp.mirror.mirror import Mirror
from rc_mcp.ringcentral import MessageStoreClient
from rc_mcp.ringcentral.limits import BEGINNING

_LOGIN = "login"
"""The name of the progress that says which login last had a mailbox as its own."""
_MAILBOX = re.compile(r"/account/([0-9]{1,20})/extension/([0-9]{1,20})/message-store")


async def mailbox_of(
    client: MessageStoreClient, mirror: Mirror, principal: str, *, account_id: str = "~", extension_id: str = "~"
) -> tuple[str, str]:
    """Return the account and the extension by which the copy knows a mailbox: `known_as` of its feed.

    RingCentral's lists name the ids in their `uri`, also an empty one that was asked for as `~` (an answer recorded
    with RingCentral's own TypeScript SDK, in its notes on debugging). If no `uri` does, the account stays `~`, and the
    extension is the login's name.

    It takes one request (rate limit group Light) for each login and mailbox: the copy remembers the answer.

    Args:
        principal: the name of the login, as `guard.principal` has it.
        account_id, extension_id: internal ids, or `~` for the login's own.

    Raises:
        RingCentralError: RingCentral refused or could not be reached.
        MirrorError: the copy cannot be read or written.
    """
    if "~" not in (account_id, extension_id):
        return account_id, extension_id
    account, extension = await _own(client, mirror, principal)
    return account if account_id == "~" else account_id, extension if extension_id == "~" else extension_id


def known_mailbox(mirror: Mirror, principal: str, *, account_id: str, extension_id: str) -> tuple[str, str] | None:
    """Return what `mailbox_of` does, without a request; None if that would need one.

    Raises:
        MirrorError: the copy cannot be read.
    """
    own = _remembered(mirror, principal)
    if own is None:
        return None if "~" in (account_id, extension_id) else (account_id, extension_id)
    return own[0] if account_id == "~" else account_id, own[1] if extension_id == "~" else extension_id


async def _own(client: MessageStoreClient, mirror: Mirror, principal: str) -> tuple[str, str]:
    if known := await to_thread.run_sync(_remembered, mirror, principal):
        return known
    listed = await client.list_messages(date_from=BEGINNING, per_page=1)
    own = _named([listed.uri, *(message.uri for message in listed.records)]) or ("~", principal)
    await to_thread.run_sync(_remember, mirror, own, principal)
    return own


def _named(uris: Iterable[str | None]) -> tuple[str, str] | None:
    """Return the ids in the first address that has both."""
    found = (_MAILBOX.search((uri or "")[:1000]) for uri in uris)
    return next(((match[1], match[2]) for match in found if match), None)


def _remembered(mirror: Mirror, principal: str) -> tuple[str, str] | None:
    with mirror.reading() as db:
        return db.execute(
            "SELECT account, extension FROM mailbox JOIN progress ON mailbox.number = progress.mailbox "
            "WHERE progress.name = ? AND progress.value = ?",
            (_LOGIN, principal),
        ).fetchone()


def _remember(mirror: Mirror, own: tuple[str, str], principal: str) -> None:
    # One login for each mailbox: the names of expired access tokens must not collect here.
    with mirror.at_once():  # between two changes the number may become another mailbox's
        mirror.put(mirror.mailbox(*own), [], {_LOGIN: principal})
