"""RingCentral's own clients work with the emulator as with RingCentral: each does all of this, unmodified."""

from typing import Any

Seen = dict[str, Any]


def test_it_logs_in_by_jwt_refreshes_and_logs_out(seen: Seen) -> None:
    assert seen["login"] == {"type": "bearer", "renewed": True}
    assert seen["logout"] == 200


def test_it_lists_by_repeated_filters_and_finds_the_next_page(seen: Seen) -> None:
    listed = seen["list"]
    assert {read for _, read in listed["records"]} == {"Unread"}
    assert {kind for kind, _ in listed["records"]} == {"SMS", "VoiceMail"}
    assert (len(listed["records"]), listed["perPage"], listed["next"]) == (5, 5, True)


def test_it_reads_one_message(seen: Seen) -> None:
    assert seen["read"] == [True, "Alive"]


def test_it_reads_many_and_takes_each_part_for_itself(seen: Seen) -> None:
    assert seen["bulk_read"] == [[200, True, None], [200, True, None], [404, False, "InvalidParameter"]]


def test_it_marks_as_read_and_as_unread(seen: Seen) -> None:
    assert (seen["update"], seen["patch"]) == ("Read", "Unread")


def test_it_deletes_and_restores(seen: Seen) -> None:
    assert (seen["delete"], seen["restore"]) == (204, "Alive")


def test_it_syncs_in_full_and_then_learns_of_a_removal(seen: Seen) -> None:
    assert seen["sync"] == {"records": 3, "older": True, "removed": True}


def test_it_gets_a_range_of_a_recording_from_either_host(seen: Seen) -> None:
    part = [206, 10, "audio/mpeg", "bytes 0-9/2"]
    assert seen["content"] == {"media": part, "platform": part}


def test_it_reads_and_changes_the_retention_period(seen: Seen) -> None:
    assert seen["configuration"] == [30, 45]


def test_it_passes_on_the_text_of_an_error(seen: Seen) -> None:
    assert seen["not_found"] == [404, "InvalidParameter", "messageId"]


def test_past_the_limit_it_says_so_and_when_to_come_back(seen: Seen) -> None:
    assert seen["limited"] == [429, "CMN-301", None]
    assert seen["retry_after_s"] == 60
