"""Settling operations that were interrupted or not answered: by reading the mailbox, never by sending again."""

from rc_mcp.guard.mailbox import Mailbox, after_delete, after_restore, is_as_it_was
from rc_mcp.guard.refusals import SETTLED_AFTER
from rc_mcp.guard.state.journal import Entry, Journal, Operation, Record
from rc_mcp.guard.state.store import in_thread
from rc_mcp.ringcentral import (
    MessageStoreClient,
    RateLimited,
    RingCentralError,
    TransportFailure,
    Unauthorized,
    Unavailable,
)
from rc_mcp.views.changes import OutcomeWord, overall

_FINAL: set[OutcomeWord] = {"deleted", "purged", "restored"}
_NOT_NOW = (TransportFailure, RateLimited, Unavailable)


async def reconcile(journal: Journal, client: MessageStoreClient, principal: str) -> None:
    """Settle this principal's unfinished operations. Call this while no change can be in progress.

    An unchanged message stays in doubt until `SETTLED_AFTER`, because its request may still arrive.

    Raises:
        RingCentralError: a mailbox cannot be read. Its operations are left for later.
        GuardError: the journal cannot be read or written.
    """
    unread: RingCentralError | None = None
    for operation in await in_thread(journal.unfinished, principal):
        try:
            await _settle(operation, journal, client)
        except (*_NOT_NOW, Unauthorized):
            raise  # nothing can be read now
        except RingCentralError as error:
            unread = unread or error  # only this mailbox: its permission may be gone for good
    if unread is not None:
        raise unread


async def _settle(operation: Operation, journal: Journal, client: MessageStoreClient) -> None:
    begun = operation.begun or {}
    mailbox = Mailbox(client, begun["account_id"], begun["extension_id"])
    record = Record(journal, operation.id, operation.principal, operation.tool)
    outcomes = operation.outcomes
    for intent in operation.intents:
        is_fresh = await in_thread(journal.may_yet_arrive, operation, intent, SETTLED_AFTER)
        if "retention_period" in intent.details:
            await _settle_retention(mailbox, intent, record, is_fresh=is_fresh)
            return
        seen = await _seen(mailbox, intent, [i for i in intent.details["ids"] if i not in outcomes])
        known: dict[str, OutcomeWord] = {i: word for i, word in seen.items() if word in _FINAL or not is_fresh}
        if known:
            await record.settled(known)
        outcomes |= known
        if len(known) < len(seen):
            return
    never_sent: dict[str, OutcomeWord] = dict.fromkeys(
        (i for i in operation.approved_ids if i not in outcomes), "skipped"
    )
    await record.done(overall(outcomes | never_sent), never_sent, cut_short=True)


async def _seen(mailbox: Mailbox, intent: Entry, ids: list[str]) -> dict[str, OutcomeWord]:
    if not ids:
        return {}
    found, errors = await mailbox.read(ids)
    for error in errors.values():
        if isinstance(error, _NOT_NOW):
            raise error
    if intent.details["to"] == "Alive":
        return after_restore(ids, found)
    untouched = {i for i, message in found.items() if is_as_it_was(message, intent.was.get(i))}
    # "Not found" proves nothing here: no answer confirmed a purge.
    return after_delete(ids, found, errors, purge=intent.details["to"] == "Purged", confirmed=(), untouched=untouched)


async def _settle_retention(mailbox: Mailbox, intent: Entry, record: Record, *, is_fresh: bool) -> None:
    configuration = await mailbox.client.read_message_store_configuration(account_id=mailbox.account_id)
    period = configuration.retention_period
    took_effect = period == intent.details["retention_period"]
    if took_effect or not is_fresh:
        is_as_before = period is not None and period == intent.details.get("before")
        await record.done("done" if took_effect else "failed" if is_as_before else "unknown", {}, cut_short=True)
