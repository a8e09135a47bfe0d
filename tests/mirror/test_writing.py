"""The feed's side of the copy: records come, change and go, texts are added, and all of it repeatably."""

from datetime import timedelta

import pytest

from rc_mcp.mirror.mirror import Mirror
from rc_mcp.ringcentral import Message
from tests.mirror.conftest import MAILBOX, Ids
from tests.mirror.messages import START, fax, text_message, voicemail


def test_a_page_that_is_put_twice_is_there_once(mirror: Mirror, ids: Ids) -> None:
    page = [text_message(1, "one apple"), text_message(2, "two apples", minutes=1), text_message(1, "one apple")]
    mirror.put(MAILBOX, page)
    mirror.put(MAILBOX, page)
    assert ids("maria") == ["2", "1"]
    assert mirror.status(MAILBOX).messages == 2


def test_a_changed_record_replaces_the_earlier_one(mirror: Mirror, ids: Ids) -> None:
    mirror.put(MAILBOX, [text_message(1, "apples", sender={"name": "Ann Lee"})])
    mirror.put(MAILBOX, [text_message(1, "pears", readStatus="Read", sender={"name": "Bo Lund"})])
    assert (ids("apples"), ids("is:unread"), ids("from:ann")) == ([], [], [])
    assert ids("pears from:lund is:read") == ["1"]


def test_a_record_whose_time_changed_moves_in_line(mirror: Mirror, ids: Ids) -> None:
    mirror.put(MAILBOX, [text_message(n, "apples", minutes=n) for n in range(1, 5)])
    mirror.put(MAILBOX, [text_message(4, "apples", minutes=1.5)])
    assert ids("apples") == ["3", "2", "4", "1"]


def test_a_deleted_message_is_kept_and_hidden(mirror: Mirror, ids: Ids) -> None:
    mirror.put(MAILBOX, [text_message(1, "apples"), text_message(2, "apples", minutes=1)])
    mirror.put(MAILBOX, [Message({"id": 1, "availability": "Deleted"})])  # as an ISync reports it
    assert ids("apples") == ["2"]
    assert ids("apples is:deleted") == ["1"]
    assert ids("apples (is:deleted OR is:unread)") == ["2", "1"]
    kept = mirror.message(MAILBOX, "1")
    assert kept is not None
    assert (kept.subject, kept.availability) == ("apples", "Deleted")


def test_a_restored_message_is_found_again(mirror: Mirror, ids: Ids) -> None:
    mirror.put(MAILBOX, [text_message(1, "apples", availability="Deleted")])
    mirror.put(MAILBOX, [text_message(1, "apples")])
    assert ids("apples") == ["1"]


def test_a_purged_message_is_gone_and_so_are_removed_ids(mirror: Mirror, ids: Ids) -> None:
    mirror.put(MAILBOX, [text_message(n, "apples", minutes=n) for n in range(4)])
    mirror.put(
        MAILBOX, [Message({"id": "1", "availability": "Purged"}), Message({"id": "77", "availability": "Purged"})]
    )
    mirror.erase(MAILBOX, ["2", "78"])
    assert ids("apples") == ["3", "0"]
    assert mirror.status(MAILBOX).messages == 2


def test_a_removal_of_an_unknown_message_adds_none(mirror: Mirror) -> None:
    mirror.put(MAILBOX, [Message({"id": "5", "availability": "Deleted"})])
    assert mirror.status(MAILBOX).messages == 0


def test_missing_texts_are_listed_transcripts_first_and_newest_first(mirror: Mirror) -> None:
    mirror.put(MAILBOX, [fax(4, minutes=9), voicemail(1, minutes=1), voicemail(2, minutes=2), text_message(3, "x")])
    assert [m.attachment_id for m in mirror.missing(MAILBOX, 9)] == ["22", "12", "41"]
    assert mirror.missing(MAILBOX, 1)[0].message.id == "2"
    assert mirror.put_text(MAILBOX, "2", "22", "the plumber is here")
    assert mirror.put_text(MAILBOX, "4", "41", None, state="failed")
    assert [m.attachment_id for m in mirror.missing(MAILBOX, 9)] == ["12"]
    assert mirror.status(MAILBOX).contents_missing == 1
    assert mirror.text(MAILBOX, "2", "22") == ("text", "ringcentral", "the plumber is here")
    assert mirror.text(MAILBOX, "4", "41") == ("failed", None, None)
    assert mirror.text(MAILBOX, "1", "12") == ("missing", None, None)


def test_the_text_of_an_attachment_is_found_and_a_later_one_replaces_it(mirror: Mirror, ids: Ids) -> None:
    mirror.put(MAILBOX, [fax(1)])
    mirror.put_text(MAILBOX, "1", "11", "blurred wrods", source="ocr", content_hash="abc")
    assert ids("wrods has:pages") == ["1"]
    mirror.put_text(MAILBOX, "1", "11", "clear words", source="document", content_hash="abc")
    assert (ids("wrods"), ids("clear")) == ([], ["1"])
    mirror.put_text(MAILBOX, "1", "11", None)
    assert ids("clear") == []


def test_attachments_with_the_same_bytes_share_a_text_until_the_last_is_gone(mirror: Mirror, ids: Ids) -> None:
    mirror.put(MAILBOX, [fax(1), fax(2, minutes=1)])
    mirror.put_text(MAILBOX, "1", "11", "old menu", source="ocr", content_hash="abc")
    mirror.put_text(MAILBOX, "2", "21", "new menu", source="ocr", content_hash="abc")
    assert (ids("menu"), ids("old")) == (["2", "1"], [])
    mirror.erase(MAILBOX, ["1"])
    assert ids("menu") == ["2"]


def test_a_text_for_an_unknown_message_is_not_kept(mirror: Mirror) -> None:
    assert not mirror.put_text(MAILBOX, "9", "91", "apples")


def test_a_transcript_that_was_partial_is_fetched_again(mirror: Mirror) -> None:
    mirror.put(MAILBOX, [voicemail(1, status="CompletedPartially")])
    mirror.put_text(MAILBOX, "1", "12", "hello, it is about")
    mirror.put(MAILBOX, [voicemail(1, status="CompletedPartially", readStatus="Read")])
    assert mirror.missing(MAILBOX, 9) == []
    mirror.put(MAILBOX, [voicemail(1, status="Completed", readStatus="Read")])
    assert [m.attachment_id for m in mirror.missing(MAILBOX, 9)] == ["12"]


def test_an_attachment_that_a_record_no_longer_has_takes_its_text_along(mirror: Mirror, ids: Ids) -> None:
    mirror.put(MAILBOX, [fax(1)])
    mirror.put_text(MAILBOX, "1", "11", "apples")
    mirror.put(MAILBOX, [fax(1, attachments=[])])
    assert (ids("apples"), mirror.status(MAILBOX).contents_missing) == ([], 0)


def test_a_transcript_made_here_counts_as_one(mirror: Mirror, ids: Ids) -> None:
    mirror.put(MAILBOX, [voicemail(1, attachments=[{"id": "11", "type": "AudioRecording"}])])
    assert ids("has:transcript") == []
    mirror.put_text(MAILBOX, "1", "11", "heard here", source="transcribed", content_hash="abc")
    assert ids("has:transcript heard") == ["1"]


def test_progress_is_noted_with_the_page(mirror: Mirror) -> None:
    mirror.put(MAILBOX, [text_message(1, "x")], {"sync_token": "a", "synced_at": "2026-11-01T12:00:00Z"})
    mirror.erase(MAILBOX, [], {"sync_token": "b"})
    assert mirror.progress(MAILBOX) == {"sync_token": "b", "synced_at": "2026-11-01T12:00:00Z"}
    assert mirror.status(MAILBOX).synced_at == "2026-11-01T12:00:00Z"


def test_a_status_says_what_there_is(mirror: Mirror) -> None:
    mirror.put(
        MAILBOX, [text_message(1, "x"), text_message(2, "x", minutes=9), text_message(3, "x", creationTime=None)]
    )
    status = mirror.status(MAILBOX)
    assert (status.messages, status.oldest, status.newest) == (3, START, START + timedelta(minutes=9))


def test_mailboxes_are_kept_apart(mirror: Mirror, ids: Ids) -> None:
    other = mirror.mailbox("~", "102")
    mirror.put(MAILBOX, [text_message(1, "apples")])
    mirror.put(other, [text_message(1, "apples and pears"), text_message(2, "apples")])
    assert ids("apples") == ["1"]
    assert ids("-pears") == ["1"]
    assert (mirror.status(MAILBOX).messages, mirror.status(other).messages) == (1, 2)
    assert mirror.mailbox("~", "102") == other


def test_a_message_that_comes_late_takes_its_place_in_time(mirror: Mirror, ids: Ids) -> None:
    mirror.put(MAILBOX, [text_message(n, "apples", minutes=n) for n in range(10, 1_000, 100)])
    late = [n for n in range(1_000) if n % 100 != 10]
    for n in sorted(late, key=lambda n: (n * 577) % 1_000):  # in an order that fills some gaps and leaves others
        mirror.put(MAILBOX, [text_message(n, "apples", minutes=n)])
    assert mirror.status(MAILBOX).messages == 1_000
    assert ids("apples") == [str(n) for n in range(999, 949, -1)]
    assert ids("apples before:2026-11-01T12:50") == [str(n) for n in range(49, -1, -1)]


def test_one_gap_takes_any_number_of_messages(mirror: Mirror, ids: Ids) -> None:
    mirror.put(MAILBOX, [text_message(1, "first"), text_message(1_000, "last", minutes=5)])
    for n in range(2, 400):
        mirror.put(MAILBOX, [text_message(n, "late", minutes=1 + n / 1_000)])
    assert ids("-late") == ["1000", "1"]
    assert ids("in:anywhere")[:3] == ["1000", "399", "398"]


def test_messages_of_one_moment_are_in_the_order_of_their_ids(mirror: Mirror, ids: Ids) -> None:
    for n in (9, 30, 4, 100, 20, 5, 10_000_000_000_000):
        mirror.put(MAILBOX, [text_message(n, "apples")])
    mirror.put(MAILBOX, [text_message(n, "apples") for n in (7, 3, 200)])
    assert ids("apples") == ["10000000000000", "200", "100", "30", "20", "9", "7", "5", "4", "3"]


def test_half_an_emoji_nul_and_a_record_with_no_sense_are_kept_as_sent(mirror: Mirror, ids: Ids) -> None:
    records = [
        text_message(1, "apples \ud83d\0 pears"),
        Message(
            {"id": "x\ud83dy", "type": 7, "creationTime": "late", "from": [None, {"name": "\ude00 Ann"}], "to": "?"}
        ),
        text_message(3, "a" * 100_000, minutes=1, sender={"name": "n" * 10_000}),
    ]
    mirror.put(MAILBOX, records)
    mirror.put(MAILBOX, records)
    for record in records:
        kept = mirror.message(MAILBOX, record.id)
        assert kept is not None
        assert kept.sent == record.sent
    assert ids("pears") == ["1"]
    assert mirror.status(MAILBOX).messages == 3
    mirror.erase(MAILBOX, [record.id for record in records])
    assert ids("in:anywhere") == []


def test_changes_at_once_are_all_or_none(mirror: Mirror, ids: Ids) -> None:
    with mirror.at_once():
        mirror.put(MAILBOX, [fax(1), fax(2, minutes=1)])
        mirror.put_text(MAILBOX, "1", "11", "apples")
        mirror.erase(MAILBOX, ["2"], {"sync_token": "a"})
    assert ids("in:anywhere") == ids("apples") == ["1"]
    with pytest.raises(ZeroDivisionError):  # noqa: PT012, SIM117
        with mirror.at_once():
            mirror.put(MAILBOX, [fax(3, minutes=2)], {"sync_token": "b"})
            mirror.put_text(MAILBOX, "1", "11", "pears")
            raise ZeroDivisionError
    assert ids("in:anywhere") == ids("apples") == ["1"]
    assert mirror.progress(MAILBOX) == {"sync_token": "a"}
