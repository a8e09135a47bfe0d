"""The red-team corpus in every field that a sender can write: it comes out only in untrusted fields."""

import json
import re
import unicodedata
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import httpx2 as httpx
import pytest
from mcp import Client
from mcp.types import CallToolResult, ElicitRequestFormParams, TextResourceContents

from rc_mcp.emulator import Draft, Emulator, Party
from rc_mcp.tools import tools_for
from rc_mcp.views.untrusted_text import as_written, clean, clean_lines, quoted
from tests.desk import DECLINE, Clock, Desk, Era, Faults, call, refused, text_of
from tests.views.hostile_texts import CORPUS, TEXTS

MARK = re.compile(r"zq[0-9]{4}k")
# Control, format, separator and surrogate characters; the line breaks of a whole text are allowed.
INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def invisible_in(text: str) -> set[str]:
    """Return the categories of invisible characters.

    The corpus has one text whose joiners belong to it: they are between the members of an emoji family.
    """
    joined = re.sub("(?<=[👨👩👧👦])\u200d(?=[👨👩👧👦])", "", text)
    return {unicodedata.category(c) for c in joined} & INVISIBLE


def marked(n: int) -> str:
    """Return a text of the corpus with marks at its beginning, middle and end, so that any part is recognized."""
    text, mark = TEXTS[n], f"zq{n:04d}k"
    half = len(text) // 2
    return f"{mark} {text[:half]} {mark} {text[half:]} {mark}"


def trusted(value: object) -> Iterator[str]:
    """Yield every text of an answer outside untrusted fields and columns, field names too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from trusted(item)
    elif isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        rows = cast("list[list[object]]", fields.get("untrusted_rows", []))
        names = cast("list[str]", fields.get("columns", []))
        for row in rows:
            yield from (str(c) for name, c in zip(names, row, strict=False) if not name.startswith("untrusted"))
        for name, item in fields.items():
            yield name
            if not name.startswith("untrusted"):
                yield from trusted(item)


def everything(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        inner = cast("dict[str, object]", value)
        for item in [*inner.keys(), *inner.values()] if isinstance(value, dict) else cast("list[object]", value):
            yield from everything(item)


def checked(answer: object) -> set[str]:
    """Return the marks in an answer; fail if one is outside untrusted fields, or a character is invisible."""
    leaked = [text for text in trusted(answer) if MARK.search(text)]
    assert leaked == []
    strings = list(everything(answer))
    is_content = "content_type" in strings  # a whole text keeps its tabs and its kind of line breaks
    kept = re.compile(r"\r?\n|\t" if is_content else r"\n")
    for text in strings:
        assert not invisible_in(kept.sub("", text)), ascii(text[:200])
    return {mark for text in strings for mark in MARK.findall(text)}


async def ask(client: Client, tool: str, **arguments: Any) -> set[str]:
    """Call a tool and return the marks in its answer, which must be the same as text and as structured content."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    return marks_of(result)


def marks_of(result: CallToolResult) -> set[str]:
    said = json.loads(text_of(result))
    if result.structured_content is not None:
        assert said == result.structured_content
    assert len(text_of(result)) <= 45_000
    return checked(said)


def plant(desk: Desk) -> None:
    """Put each text into each kind of message, in every field that a sender can write."""
    drafts: list[Draft] = []
    for n in range(len(TEXTS)):
        name = marked(n)
        # JSON, and so a name, can contain a lone surrogate; a body is bytes.
        text = name.encode("utf-8", "replace").decode()
        phone = text if n % 3 == 0 else f"+1503555{n:04d}"
        who = Party(name=name, phone_number=phone, location=name)
        drafts += [
            Draft(type="SMS", sender=who, text=text, media=("crushed-parcel.jpg",), file_names=(text,)),
            Draft(type="SMS", direction="Outbound", recipients=(who,), text=text, status="SendingFailed", error=text),
            Draft(type="VoiceMail", sender=who, transcript=text, transcript_status="Completed", seconds=9),
            Draft(type="Fax", sender=who, media=("toner-offer.pdf",), file_names=(text,), cover_text=text),
            Draft(
                type="Pager",
                sender=Party(name=text, extension_number=text if n % 3 == 0 else "104"),
                text=text,
                priority="High",
            ),
        ]
    desk.emulator.store.add_all(drafts)


def planted_ids(desk: Desk, kind: str) -> list[str]:
    return [i for i in desk.ids(type=kind) if MARK.search(json.dumps(desk.emulator.store.message(i), default=str))]


def test_the_corpus_is_large_and_has_many_kinds() -> None:
    assert len(set(TEXTS)) >= 200
    assert min(len(texts) for texts in CORPUS.values()) >= 10


@pytest.mark.parametrize("kind", CORPUS)
def test_a_shown_text_is_visible_and_bounded(kind: str) -> None:
    for text in CORPUS[kind]:
        line = clean(text, 60)
        assert len(line) <= 60
        assert len(line.splitlines()) <= 1
        whole = as_written(text)
        assert not re.search(r"\r(?!\n)", whole)
        for shown in (line, clean_lines(text, 1_000).replace("\n", ""), re.sub(r"[\t\r\n]", "", whole)):
            assert not invisible_in(shown), ascii(text[:80])
        assert not re.search("[\u0300-\u036f]{5}", line)


@pytest.mark.parametrize("mark", ["\u0301", "\u0489", "\u064e", "\u0e49", "\u102f"])
def test_combining_marks_do_not_pile_up_over_other_lines(mark: str) -> None:
    assert clean(f"a{mark * 50}b", 60) == f"a{mark * 4}b"
    assert quoted(f"a{mark * 50}b", 60) == f"“a{mark * 2}b”"


@pytest.mark.parametrize("word", ["လှို့ဝှက်", "بِسْمِ ٱللَّٰهِ", "ที่นี้", "Vie\u0323\u0302t"])
def test_ordinary_words_of_a_language_stay_whole(word: str) -> None:
    assert clean(word, 60) == word


@pytest.mark.anyio
async def test_lists_and_syncs_show_hostile_texts_only_in_untrusted_fields(desk: Desk, era: Era) -> None:
    async with desk.client(era) as client:
        token = (await call(client, "sync_messages"))["sync_token"]
        plant(desk)
        marks: set[str] = set()
        for kind in ("SMS", "VoiceMail", "Fax", "Pager"):
            for detail in ("rows", "full"):
                for page in (1, 2, 3):
                    marks |= await ask(client, "list_messages", message_type=kind, detail=detail, page=page)
            assert await ask(client, "list_messages", message_type=kind, detail="summary")
        assert len(marks) > 200
        for arguments in ({}, {"sync_token": token}, {"sync_token": token, "detail": "full"}, {"record_count": 1000}):
            assert await ask(client, "sync_messages", **arguments)


@pytest.mark.anyio
async def test_whole_messages_show_hostile_texts_only_in_untrusted_fields(desk: Desk) -> None:
    plant(desk)
    marks: set[str] = set()
    async with desk.client() as client:
        for kind in ("SMS", "VoiceMail", "Fax", "Pager"):
            ids = planted_ids(desk, kind)
            for start in range(0, len(ids), 20):
                marks |= await ask(client, "read_message", message_id=ids[start : start + 20])
    assert len(marks) == len(TEXTS)


@pytest.mark.process
@pytest.mark.anyio
async def test_contents_and_resources_show_hostile_texts_only_in_untrusted_fields(desk: Desk) -> None:
    plant(desk)
    marks: set[str] = set()
    async with desk.client(RC_MCP_DOWNLOAD_DIR=str(desk.state_dir)) as client:
        for id_ in planted_ids(desk, "VoiceMail"):
            marks |= await ask(client, "read_message_content", message_id=id_)
        for kind in ("SMS", "Fax"):
            for id_ in planted_ids(desk, kind)[::60]:
                for form in ("auto", "file"):
                    marks |= await ask(client, "read_message_content", message_id=id_, form=form)
        listed = [r.model_dump(mode="json") for r in (await client.list_resources()).resources]
        assert checked({"resources": listed}) == set()
        for id_ in planted_ids(desk, "Fax")[::20]:
            content = (await client.read_resource(f"ringcentral://account/~/extension/~/message-store/{id_}")).contents[
                0
            ]
            assert isinstance(content, TextResourceContents)
            marks |= checked(json.loads(content.text))
    assert len(marks) > 0.95 * len(TEXTS)  # some transcripts with hostile bytes are no longer texts
    assert not [path for path in desk.state_dir.rglob("*") if MARK.search(path.name)]


@pytest.mark.anyio
async def test_changes_and_previews_show_hostile_texts_only_in_untrusted_fields(desk: Desk) -> None:
    plant(desk)
    texts = planted_ids(desk, "SMS")
    conversations = list({str((desk.emulator.store.message(i) or {})["conversationId"]): None for i in texts})
    desk.clock.time += timedelta(minutes=1)
    async with desk.client() as client:
        for start in range(0, len(texts), 200):
            assert await ask(client, "delete_message", message_id=texts[start : start + 200])
        for start in range(0, 100, 20):
            assert await ask(client, "delete_message_by_filter", conversation_id=conversations[start : start + 20])
        assert await ask(client, "delete_message", message_id=texts[:50], purge=True)
        assert await ask(client, "update_message", message_id=texts, read_status="Read") == set()
        assert await ask(client, "patch_message", message_id=texts, read_status="Unread") == set()
        assert await ask(client, "update_message_store_configuration", retention_period=40) == set()


@pytest.mark.anyio
async def test_a_question_shows_hostile_texts_only_as_quotations(desk: Desk, era: Era) -> None:
    plant(desk)
    texts = planted_ids(desk, "SMS")

    def asked(params: ElicitRequestFormParams) -> Any:
        lines = params.message.splitlines()
        for line in lines:
            assert not invisible_in(line), ascii(line)
            assert not MARK.search(re.sub("“[^”]*”", "", line)), line
        assert sum(line.startswith("Plan ") for line in lines) == 1
        return DECLINE

    async with desk.client(era, answer=asked) as client:
        for start in range(0, len(texts), 12):
            answer = await call(client, "delete_message", message_id=texts[start : start + 12])
            assert answer["status"] == "declined"
    assert len(desk.asked) > 20


@pytest.mark.anyio
async def test_errors_do_not_repeat_hostile_texts(desk: Desk) -> None:
    plant(desk)
    fax = planted_ids(desk, "Fax")[0]
    async with desk.client() as client:
        said = [
            await refused(client, "read_message_content", message_id=fax, attachment_id="1"),
            await refused(client, "read_message_content", message_id="404"),
            await refused(client, "list_messages", date_from="then"),
        ]
    assert not [text for text in said if MARK.search(text)]


@pytest.mark.anyio
@pytest.mark.parametrize("start", range(0, len(TEXTS), 60))
async def test_a_record_that_is_hostile_in_every_field_is_shown_only_in_untrusted_fields(
    desk: Desk, start: int
) -> None:
    """Fields for RingCentral's own words are hostile too: types, states, codes, conversation ids, addresses."""
    texts = iter(range(start, min(start + 60, len(TEXTS))))

    def spoil(value: object, text: str) -> object:
        if isinstance(value, dict):
            fields = cast("dict[str, object]", value)
            kept = {"id", "availability"}
            return {k: v if k in kept else spoil(v, text) for k, v in fields.items()} | {
                "deliveryErrorCode": text,
                "coverPageText": text,
                "to": [{"name": text, "faxErrorCode": text, "messageStatus": text}],
            }
        if isinstance(value, list):
            return [spoil(item, text) for item in cast("list[object]", value)]
        return text if isinstance(value, str) else value

    records = [m for m in desk.emulator.store.messages() if m["availability"] == "Alive"]
    spoilt = [spoil(dict(r), marked(n)) for r, n in zip(records, texts, strict=False)]
    sync = {"syncType": "FSync", "syncToken": "t", "syncTime": "2026-01-01T00:00:00.000Z"}
    body = json.dumps({"records": spoilt, "paging": {}, "navigation": {}, "syncInfo": sync}).encode()
    desk.faults.before(
        lambda request: (
            httpx.Response(200, content=body, headers={"Content-Type": "application/json"}, request=request)
            if request.url.path.endswith(("/message-store", "/message-sync"))
            else None
        )
    )
    async with desk.client() as client:
        for detail in ("rows", "full", "summary"):
            assert await ask(client, "list_messages", detail=detail)
            assert await ask(client, "sync_messages", detail=detail)


@pytest.mark.process
@pytest.mark.anyio
async def test_the_hostile_mailbox_of_the_emulator_is_read_through_every_tool(tmp_path: Path) -> None:
    clock = Clock()
    with Emulator(rate_limits=False, now=clock, scenario="hostile") as emulator:
        desk = Desk(emulator, tmp_path, clock, Faults(emulator))
        written = {text[:24] for m in emulator.store.messages() for text in untrusted_texts(m) if len(text) >= 24}
        clock.time += timedelta(minutes=1)
        ids = desk.ids(availability="Alive")
        async with desk.client() as client:
            token = (await call(client, "sync_messages", date_from="90d"))["sync_token"]
            answers = [
                await call(client, "list_messages", date_from="90d", per_page=1000),
                await call(client, "list_messages", date_from="90d", detail="full"),
                await call(client, "list_messages", date_from="90d", detail="summary"),
                await call(client, "sync_messages", sync_token=token),
                *[await call(client, "read_message", message_id=ids[at : at + 20]) for at in range(0, len(ids), 20)],
                await call(client, "update_message", message_id=ids, read_status="Read"),
                await call(client, "patch_message", message_id=ids, read_status="Unread"),
                await call(client, "delete_message", message_id=ids[:200]),
                *[await call(client, t.name) for t in tools_for("read") if not t.parameters.get("required")],
                await call(client, "update_message_store_configuration", retention_period=60),
            ]
            for id_ in ids:
                result = await client.call_tool("read_message_content", {"message_id": id_})
                answers.append({"error": text_of(result)} if result.is_error else json.loads(text_of(result)))
    assert len(written) > 50
    for answer in answers:
        checked(answer)
        assert not [text for text in trusted(answer) if any(words in text for words in written)]


def untrusted_texts(message: dict[str, Any]) -> Iterator[str]:
    """Yield the untrusted texts of an emulator record, as they are shown."""
    parties: list[dict[str, str]] = [message.get("from") or {}, *message.get("to", [])]
    raw: list[str | None] = [message.get("subject"), message.get("coverPageText")]
    raw += [party.get(key) for party in parties for key in ("name", "location")]
    raw += [attachment.get("fileName") for attachment in message.get("attachments", [])]
    yield from (clean(text, 200) for text in raw if text)
