"""The seeded mailbox is consistent: its conversations, its parties and the real media files of its messages."""

import re
import struct
import tomllib
import wave
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

EMULATOR = Path(__file__).parents[3] / "rc_mcp" / "emulator"
MEDIA = EMULATOR / "mailbox" / "media"
MAX_MEDIA_BYTES = 480_000

Table = dict[str, Any]
OFFICE: Table = tomllib.loads((EMULATOR / "scenarios" / "office.toml").read_text("utf-8"))
OWNER: Table = OFFICE["owner"]
PEOPLE: dict[str, Table] = OFFICE["people"]
MESSAGES: list[Table] = OFFICE["message"]

MAGIC = {
    ".mp3": (b"\xff\xe3",),  # an MPEG 2.5 layer III frame without a checksum
    ".pdf": (b"%PDF-1.",),
    ".tif": (b"II*\0", b"MM\0*"),
    ".jpg": (b"\xff\xd8\xff",),
    ".wav": (b"RIFF",),
}
CONTENT = {"VoiceMail": {".mp3", ".wav"}, "Fax": {".pdf", ".tif"}, "SMS": {".jpg"}}
STATUSES = {
    # A pager message is Sent on either side.
    "Inbound": {"Received", "Sent"},
    "Outbound": {"Queued", "Sent", "Delivered", "DeliveryFailed", "SendingFailed"},
}
REQUIRED = {"type", "direction", "age", "from", "to", "read", "status"}
OPTIONAL = {
    *("availability", "deleted_age", "text", "conversation", "media", "seconds", "transcript"),
    *("transcript_status", "pages", "resolution", "error", "cover_text", "cover_index", "priority"),
}


def of_type(*types: str) -> list[Table]:
    return [message for message in MESSAGES if message["type"] in types]


def age(text: str) -> timedelta:
    match = re.fullmatch(r"(?=.)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?", text)
    assert match, text
    days, hours, minutes = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes)


def named_media() -> set[str]:
    return {name for message in MESSAGES for name in cast("list[str]", message.get("media", []))}


def media_files() -> list[Path]:
    return sorted(path for path in MEDIA.iterdir() if path.suffix in MAGIC)


def mp3_frames(data: bytes) -> Iterator[tuple[int, float]]:
    """Yield the size in bytes and the length in seconds of each MPEG 2.5 layer III frame, up to the end."""
    kbps = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
    rates = (11025, 12000, 8000)
    at = 0
    while at < len(data):
        assert data[at] == 0xFF, f"no frame at byte {at}"
        assert data[at + 1] & 0xFE == 0xE2, f"not MPEG 2.5 layer III at byte {at}"
        rate = rates[data[at + 2] >> 2 & 3]
        size = 72_000 * kbps[data[at + 2] >> 4] // rate + (data[at + 2] >> 1 & 1)
        yield size, 576 / rate
        at += size
    assert at == len(data), "the last frame is cut off"


def tiff_directories(data: bytes) -> Iterator[dict[int, int]]:
    """Yield the tags and single values of each page. Our own files store small numbers inline, so this is enough."""
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    while at:
        (entries,) = struct.unpack_from(f"{order}H", data, at)
        tags: dict[int, int] = {}
        for entry in range(at + 2, at + 2 + 12 * entries, 12):
            tag, kind = struct.unpack_from(f"{order}HH", data, entry)
            (tags[tag],) = struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", data, entry + 8)
        yield tags
        (at,) = struct.unpack_from(f"{order}I", data, at + 2 + 12 * entries)


def page_count(path: Path) -> int:
    data = path.read_bytes()
    if path.suffix == ".pdf":
        return len(re.findall(rb"/Type /Page\b", data))
    return len(list(tiff_directories(data)))


def test_messages_use_every_media_file_and_no_other_names() -> None:
    assert named_media() == {path.name for path in media_files()}


def test_the_media_folder_has_no_other_files() -> None:
    others = {path.name for path in MEDIA.iterdir()} - {path.name for path in media_files()}
    assert others == {"README.md", "make.sh"}


def test_the_media_stay_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in media_files()) < MAX_MEDIA_BYTES


@pytest.mark.parametrize("path", media_files(), ids=lambda path: path.name)
def test_a_file_has_the_format_of_its_name(path: Path) -> None:
    assert path.read_bytes().startswith(MAGIC[path.suffix])


@pytest.mark.parametrize("message", of_type("VoiceMail"), ids=lambda message: message["age"])
def test_a_voicemail_lasts_as_long_as_its_recording(message: Table) -> None:
    [name] = message["media"]
    if name.endswith(".wav"):
        with wave.open(str(MEDIA / name)) as recording:
            seconds = recording.getnframes() / recording.getframerate()
    else:
        seconds = sum(length_s for _, length_s in mp3_frames((MEDIA / name).read_bytes()))
    assert message["seconds"] == pytest.approx(seconds, abs=1)


@pytest.mark.parametrize("message", of_type("Fax"), ids=lambda message: message["age"])
def test_a_fax_has_as_many_pages_as_its_document(message: Table) -> None:
    [name] = message["media"]
    assert message["pages"] == page_count(MEDIA / name)


def test_tiff_faxes_are_one_bit_group_4_pages_of_a_fax_machines_width() -> None:
    width, bits, compression = 256, 258, 259
    for path in MEDIA.glob("*.tif"):
        for tags in tiff_directories(path.read_bytes()):
            assert (tags[width], tags.get(bits, 1), tags[compression]) == (1728, 1, 4), path.name


def test_faxes_come_as_pdf_and_as_tiff_and_one_tiff_has_several_pages() -> None:
    names = [name for message in of_type("Fax") for name in message["media"]]
    assert {Path(name).suffix for name in names} == {".pdf", ".tif"}
    assert max(page_count(path) for path in MEDIA.glob("*.tif")) > 1


def test_each_type_of_message_has_its_own_kind_of_media() -> None:
    for message in MESSAGES:
        suffixes = {Path(name).suffix for name in message.get("media", [])}
        assert suffixes <= CONTENT.get(message["type"], set()), message
    assert all(message["media"] for message in of_type("VoiceMail", "Fax"))
    assert any("media" in message for message in of_type("SMS"))


def test_all_four_types_occur_in_realistic_proportions() -> None:
    counts = Counter(message["type"] for message in MESSAGES)
    assert counts.keys() == {"SMS", "VoiceMail", "Fax", "Pager"}
    assert 55 <= counts.total() <= 70
    assert counts["SMS"] > counts["VoiceMail"] > counts["Fax"] > counts["Pager"]


def test_messages_use_only_the_keys_the_emulator_reads() -> None:
    for message in MESSAGES:
        assert message.keys() >= REQUIRED
        assert message.keys() <= REQUIRED | OPTIONAL


def test_messages_name_exactly_the_parties_in_the_table() -> None:
    named = {key for message in MESSAGES for key in [message["from"], *message["to"]]}
    assert named - {"me"} == PEOPLE.keys()


def test_the_owner_sends_outbound_and_receives_inbound_messages() -> None:
    for message in MESSAGES:
        if message["direction"] == "Outbound":
            assert message["from"] == "me"
            assert "me" not in message["to"]
        else:
            assert message["from"] != "me"
            assert "me" in message["to"]


@pytest.mark.parametrize(("kind", "field"), [("Pager", "extension_number"), ("SMS", "phone_number")])
def test_the_parties_of_a_text_or_pager_message_have_a_number(kind: str, field: str) -> None:
    for message in of_type(kind):
        for key in {message["from"], *message["to"]} - {"me"}:
            assert field in PEOPLE[key], key


def test_every_phone_number_is_reserved_for_fiction() -> None:
    source = (EMULATOR / "scenarios" / "office.toml").read_text("utf-8") + (MEDIA / "make.sh").read_text("utf-8")
    for party in [OWNER, *PEOPLE.values()]:
        if "phone_number" in party:
            assert re.fullmatch(r"\+1[2-9]\d\d55501\d\d", party["phone_number"]), party
    written = re.findall(r"\b\d{3}[- ]\d{3}[- ]\d{4}\b", source)
    assert written
    assert all(re.fullmatch(r"\d{3}.555.01\d\d", number) for number in written)


def test_only_texts_and_pager_messages_belong_to_conversations_and_carry_text() -> None:
    for message in MESSAGES:
        is_text = message["type"] in {"SMS", "Pager"}
        assert ("conversation" in message) is is_text, message
        assert ("text" in message) is is_text, message


def test_a_conversation_keeps_its_type_and_its_parties() -> None:
    members: dict[str, set[frozenset[str]]] = {}
    for message in of_type("SMS", "Pager"):
        people = frozenset([message["type"], message["from"], *message["to"]])
        members.setdefault(message["conversation"], set()).add(people)
    assert all(len(people) == 1 for people in members.values()), members
    assert len(members) >= 10


def test_one_conversation_has_eight_or_more_old_delivery_notices() -> None:
    old = [m for m in of_type("SMS") if m["conversation"] == "courier" and age(m["age"]) > timedelta(days=6)]
    assert len(old) >= 8


def test_only_completed_transcriptions_have_a_transcript_and_other_states_occur() -> None:
    for message in of_type("VoiceMail"):
        assert ("transcript" in message) is (message["transcript_status"] == "Completed"), message
    states = Counter(message["transcript_status"] for message in of_type("VoiceMail"))
    assert states.keys() == {"Completed", "InProgress", "NotAvailable", "Failed"}


def test_statuses_match_directions_and_failures_have_an_error() -> None:
    for message in MESSAGES:
        assert message["status"] in STATUSES[message["direction"]], message
        assert ("error" in message) is message["status"].endswith("Failed"), message
    assert {m["error"] for m in of_type("SMS") if "error" in m} == {"SMS-UP-410", "SMS-CAR-411"}
    assert {m["error"] for m in of_type("Fax") if "error" in m} == {"NoAnswer", "LineBusy"}


def test_four_messages_were_deleted_recently_enough_to_be_restored() -> None:
    deleted = [message for message in MESSAGES if message.get("availability", "Alive") == "Deleted"]
    assert len(deleted) == 4
    for message in MESSAGES:
        assert ("deleted_age" in message) is (message in deleted)
    for message in deleted:
        assert age(message["deleted_age"]) < min(age(message["age"]), timedelta(days=4))


def test_about_a_third_of_received_messages_and_of_the_sent_only_faxes_are_unread() -> None:
    unread = [message for message in MESSAGES if not message["read"]]
    received = [message for message in unread if message["direction"] == "Inbound"]
    assert 16 <= len(received) <= 24
    assert all(message["type"] == "Fax" for message in unread if message not in received)


def test_the_last_24_hours_have_ten_to_fifteen_messages_of_all_four_types() -> None:
    recent = [message for message in MESSAGES if age(message["age"]) <= timedelta(hours=24)]
    assert 10 <= len(recent) <= 15
    assert {message["type"] for message in recent} == {"SMS", "VoiceMail", "Fax", "Pager"}


def test_the_mailbox_covers_almost_a_month_and_no_two_messages_have_the_same_time() -> None:
    ages = [age(message["age"]) for message in MESSAGES]
    assert timedelta(days=27) < max(ages) < timedelta(days=30)
    assert len(set(ages)) == len(ages)
