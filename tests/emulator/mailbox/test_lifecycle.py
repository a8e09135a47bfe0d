"""Changes that time and full folders make to messages: exactly when, in what order, and as a sync reports them."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import httpx2 as httpx
import pytest

from rc_mcp.emulator import Draft, Emulator
from rc_mcp.emulator.mailbox import media_files
from rc_mcp.emulator.mailbox.lifecycle import FAX_RENDERING_MS, pass_time
from tests.emulator.conftest import ANA, HELLO, add, log_in

pytestmark = pytest.mark.anyio

SENT = Draft(type="SMS", direction="Outbound", recipients=(ANA,), text="Hello")
VOICEMAIL = Draft(type="VoiceMail", sender=ANA)
DAY = timedelta(days=1)
MOMENT = timedelta(seconds=1)


def state(emulator: Emulator, *ids: str) -> list[str | None]:
    """Apply the changes that are due and return each availability; None if the message no longer exists."""
    pass_time(emulator.store)
    records = [emulator.store.message(message_id) for message_id in ids]
    return [None if record is None else record["availability"] for record in records]


def when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


async def test_five_days_deleted_then_five_days_purged_then_gone(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    message_id, deleted = add(emulator), clock[0]
    await mailbox.delete(f"message-store/{message_id}")
    seen: list[str | None] = []
    for due in (5 * DAY, 10 * DAY):
        for moment in (due - MOMENT, due + MOMENT):
            clock[0] = deleted + moment
            seen += state(emulator, message_id)
    assert seen == ["Deleted", "Purged", "Purged", None]


async def test_the_result_does_not_depend_on_how_often_the_mailbox_is_read(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    gone, purged, deleted = add(emulator), add(emulator), clock[0]
    await mailbox.delete(f"message-store/{gone}")
    clock[0] += DAY
    await log_in(mailbox, emulator)
    await mailbox.delete(f"message-store/{purged}")
    clock[0] = deleted + 10 * DAY + MOMENT
    assert state(emulator, gone, purged) == [None, "Purged"]
    record = emulator.store.message(purged)
    assert record
    assert record["lastModifiedTime"] == when(deleted + 6 * DAY)
    clock[0] += DAY
    assert state(emulator, purged) == [None]


async def test_restoring_a_message_resets_its_purge_date(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    message_id = add(emulator)
    await mailbox.delete(f"message-store/{message_id}")
    clock[0] += 4 * DAY
    await log_in(mailbox, emulator)
    await mailbox.patch(f"message-store/{message_id}", json={"availability": "Alive"})
    clock[0] += 4 * DAY
    assert state(emulator, message_id) == ["Alive"]
    await log_in(mailbox, emulator)
    await mailbox.delete(f"message-store/{message_id}")
    clock[0] += 4 * DAY
    assert state(emulator, message_id) == ["Deleted"]


def test_faxes_and_voicemails_expire_with_the_retention_period(emulator: Emulator, clock: list[datetime]) -> None:
    created = clock[0]
    expiring = add(emulator, VOICEMAIL), add(emulator, type="Fax"), add(emulator, SENT, type="Fax")
    staying = add(emulator), add(emulator, type="Pager", sender=None)
    clock[0] = created + 30 * DAY - MOMENT
    assert state(emulator, *expiring, *staying) == ["Alive"] * 5
    clock[0] = created + 40 * DAY - MOMENT
    assert state(emulator, *expiring, *staying) == [None] * 3 + ["Alive"] * 2


def test_an_expired_message_was_last_modified_when_it_expired(emulator: Emulator, clock: list[datetime]) -> None:
    message_id, created = add(emulator, VOICEMAIL), clock[0].replace(microsecond=0)
    clock[0] += 33 * DAY
    assert state(emulator, message_id) == ["Purged"]
    record = emulator.store.message(message_id)
    assert record
    assert (record["lastModifiedTime"], record["attachments"]) == (when(created + 30 * DAY), [])


async def test_a_deleted_voicemail_is_purged_after_five_days_or_the_retention_period(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    start = clock[0]
    early, late = add(emulator, VOICEMAIL), add(emulator, VOICEMAIL)
    for message_id, days in ((early, 10), (late, 28)):
        clock[0] = start + days * DAY
        await log_in(mailbox, emulator)
        await mailbox.delete(f"message-store/{message_id}")
    clock[0] = start + 34 * DAY
    assert state(emulator, early, late) == [None, "Purged"]
    record = emulator.store.message(late)
    assert record
    assert record["lastModifiedTime"] == when(start.replace(microsecond=0) + 30 * DAY)


async def test_a_lowered_retention_period_purges_when_it_is_lowered(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    message_id = add(emulator, VOICEMAIL)
    clock[0] += 20 * DAY
    await log_in(mailbox, emulator)
    url, lowered = f"{emulator.server_url}/restapi/v1.0/account/~/message-store-configuration", clock[0]
    await mailbox.put(url, json={"retentionPeriod": 7})
    clock[0] += 4 * DAY
    assert state(emulator, message_id) == ["Purged"]
    record = emulator.store.message(message_id)
    assert record
    assert record["lastModifiedTime"] == when(lowered)
    clock[0] = lowered + 5 * DAY + MOMENT
    assert state(emulator, message_id) == [None]


async def test_all_mailboxes_share_the_retention_period(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    colleague = emulator.mailboxes[emulator.users[1].extension_id]
    message_id = colleague.add(replace(VOICEMAIL, created=clock[0] - 10 * DAY))["id"]
    url = f"{emulator.server_url}/restapi/v1.0/account/~/message-store-configuration"
    await mailbox.put(url, json={"retentionPeriod": 7})
    pass_time(colleague)
    assert (colleague.message(message_id) or {})["availability"] == "Purged"


async def test_a_sync_reports_an_expired_message(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    message_id = add(emulator, VOICEMAIL)
    clock[0] += 29 * DAY
    await log_in(mailbox, emulator)
    full = (await mailbox.get("message-sync?syncType=FSync&dateFrom=2026-01")).json()
    clock[0] += 2 * DAY
    await log_in(mailbox, emulator)
    url = f"message-sync?syncType=ISync&syncToken={full['syncInfo']['syncToken']}"
    assert (await mailbox.get(url)).json()["records"] == [{"id": int(message_id), "availability": "Purged"}]


def fill(emulator: Emulator, draft: Draft, count: int) -> list[str]:
    """Add `count` messages, a second apart, the last a day ago; return the ids, oldest first."""
    start = emulator.clock() - DAY
    drafts = [replace(draft, created=start - at * MOMENT) for at in reversed(range(count))]
    emulator.store.add_all(drafts)
    return [str(record["id"]) for record in reversed(emulator.store.messages())]


def test_the_201st_voicemail_or_fax_pushes_out_the_oldest(emulator: Emulator) -> None:
    oldest, second, third, *_ = fill(emulator, VOICEMAIL, 199)
    add(emulator, type="Fax")
    assert state(emulator, oldest) == ["Alive"]
    add(emulator, VOICEMAIL)
    assert state(emulator, oldest, second) == ["Deleted", "Alive"]
    add(emulator, type="Fax")
    assert state(emulator, oldest, second, third) == ["Deleted", "Deleted", "Alive"]


def test_only_received_messages_that_are_alive_count_in_the_inbox(emulator: Emulator) -> None:
    oldest, *_ = fill(emulator, VOICEMAIL, 200)
    add(emulator, SENT, type="Fax")
    add(emulator)
    add(emulator, type="Pager", sender=None)
    add(emulator, VOICEMAIL, availability="Deleted")
    assert state(emulator, oldest) == ["Alive"]


def test_a_new_message_older_than_all_others_is_deleted_itself(emulator: Emulator) -> None:
    oldest, *_ = fill(emulator, VOICEMAIL, 200)
    late = emulator.store.add(replace(VOICEMAIL, created=emulator.clock() - 2 * DAY))
    assert late["availability"] == "Deleted"
    assert state(emulator, oldest) == ["Alive"]


async def test_deleting_a_message_makes_room_in_the_inbox(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    oldest, second, *_ = fill(emulator, VOICEMAIL, 200)
    await mailbox.delete(f"message-store/{second}")
    add(emulator, VOICEMAIL)
    assert state(emulator, oldest) == ["Alive"]


async def test_a_message_restored_to_a_full_inbox_pushes_out_the_oldest(
    mailbox: httpx.AsyncClient, emulator: Emulator
) -> None:
    oldest, second, *_ = fill(emulator, VOICEMAIL, 200)
    await mailbox.delete(f"message-store/{second}")
    newest = add(emulator, VOICEMAIL)
    answer = await mailbox.patch(f"message-store/{second}", json={"availability": "Alive"})
    assert answer.json()["availability"] == "Alive"
    assert state(emulator, oldest, second, newest) == ["Deleted", "Alive", "Alive"]


async def test_a_sync_reports_a_pushed_out_message_which_can_be_restored(
    mailbox: httpx.AsyncClient, emulator: Emulator
) -> None:
    oldest, second, *_ = fill(emulator, VOICEMAIL, 200)
    full = (await mailbox.get("message-sync?syncType=FSync&dateFrom=2026-01")).json()
    newest = add(emulator, VOICEMAIL)
    url = f"message-sync?syncType=ISync&syncToken={full['syncInfo']['syncToken']}"
    changes = {str(change["id"]): change["availability"] for change in (await mailbox.get(url)).json()["records"]}
    assert changes == {newest: "Alive", oldest: "Deleted"}
    await mailbox.delete(f"message-store/{newest}")
    await mailbox.patch(f"message-store/{oldest}", json={"availability": "Alive"})
    assert state(emulator, oldest, second) == ["Alive", "Alive"]


@pytest.mark.parametrize("draft", [HELLO, SENT], ids=["received", "sent"])
def test_the_5001st_text_of_a_folder_pushes_out_the_oldest(emulator: Emulator, draft: Draft) -> None:
    oldest, second, *_ = fill(emulator, draft, 4_999)
    add(emulator, SENT if draft is HELLO else HELLO)
    add(emulator, draft)
    assert state(emulator, oldest) == ["Alive"]
    add(emulator, draft)
    assert state(emulator, oldest, second) == ["Deleted", "Alive"]


async def test_the_5001st_deleted_text_purges_the_oldest(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    oldest, second, *_ = fill(emulator, replace(HELLO, availability="Deleted"), 5_000)
    message_id = add(emulator)
    assert state(emulator, oldest) == ["Deleted"]
    await mailbox.delete(f"message-store/{message_id}")
    assert state(emulator, oldest, second, message_id) == ["Purged", "Deleted", "Deleted"]


async def test_deleting_more_texts_than_the_deleted_folder_holds_purges_the_oldest_of_them(
    mailbox: httpx.AsyncClient, emulator: Emulator
) -> None:
    oldest, second, third, *_ = fill(emulator, HELLO, 5_000)
    last = add(emulator, SENT), add(emulator, SENT)
    assert (await mailbox.delete("message-store?type=SMS&dateTo=2027")).status_code == 204
    assert state(emulator, oldest, second, third, *last) == ["Purged", "Purged", "Deleted", "Deleted", "Deleted"]


def test_a_mailbox_created_over_its_limits_keeps_its_size(tmp_path: Path, clock: list[datetime]) -> None:
    path = tmp_path / "mailbox.db"
    with Emulator(scenario="empty", db=path, now=lambda: clock[0]) as emulator:
        oldest, second, *_ = fill(emulator, VOICEMAIL, 300)
        add(emulator, VOICEMAIL)
        assert state(emulator, oldest, second) == ["Deleted", "Alive"]
    with Emulator(scenario="empty", db=path, now=lambda: clock[0]) as emulator:
        add(emulator, VOICEMAIL)
        alive = [record for record in emulator.store.messages() if record["availability"] == "Alive"]
        assert len(alive) == 300
        assert state(emulator, second) == ["Deleted"]


def test_each_mailbox_has_separate_limits(emulator: Emulator) -> None:
    oldest, *_ = fill(emulator, VOICEMAIL, 200)
    emulator.mailboxes[emulator.users[1].extension_id].add(VOICEMAIL)
    assert state(emulator, oldest) == ["Alive"]


def test_a_message_that_could_not_be_stored_does_not_count(emulator: Emulator) -> None:
    oldest, *_ = fill(emulator, VOICEMAIL, 199)
    with pytest.raises(FileNotFoundError):
        emulator.store.add(replace(VOICEMAIL, media=("nowhere.mp3",)))
    add(emulator, VOICEMAIL)
    assert state(emulator, oldest) == ["Alive"]


async def test_a_queued_fax_has_no_pages_for_its_first_seconds(
    mailbox: httpx.AsyncClient, emulator: Emulator, clock: list[datetime]
) -> None:
    [document, *_] = media_files.names("application/pdf")
    queued = Draft(type="Fax", direction="Outbound", recipients=(ANA,), media=(document,), status="Queued")
    uri = emulator.store.add(queued)["attachments"][0]["uri"]
    answer = await mailbox.get(uri)
    assert answer.status_code >= 400
    assert answer.json()["errors"][0]["errorCode"] == "MSG-368"
    clock[0] += timedelta(milliseconds=FAX_RENDERING_MS)
    assert (await mailbox.get(uri)).content == media_files.read(document)


@pytest.mark.parametrize("status", ["Sent", "SendingFailed", None])
async def test_any_other_fax_can_be_read_at_once(
    mailbox: httpx.AsyncClient, emulator: Emulator, status: str | None
) -> None:
    [document, *_] = media_files.names("application/pdf")
    fax = Draft(type="Fax", direction="Outbound", recipients=(ANA,), media=(document,), status=status)
    inbound = Draft(type="Fax", sender=ANA, media=(document,), status=status)
    for draft in (fax, inbound):
        assert (await mailbox.get(emulator.store.add(draft)["attachments"][0]["uri"])).status_code == 200
