"""What our tools cost a model: before the first question, and with each answer."""

import re
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx2 as httpx
import pytest
from mcp import Client

from rc_mcp.cli.demo.screen import rows
from rc_mcp.emulator import Draft, Emulator, Party
from rc_mcp.tools import tools_for
from rc_mcp.views.tokens import TokenBudget
from tests.desk import Clock, Desk, Era, Faults, call, text_of
from tests.tokens import compact, definitions, from_ringcentral, tokens

pytestmark = pytest.mark.anyio

A_TOOL = 400
"""On average: 4,000 for RingCentral's ten methods, 2,000 for the five that read."""
ROW = 45
USUAL_ANSWER = 5_000
ANY_ANSWER_TOKENS, ANY_ANSWER_CHARS = 20_000, 45_000
SHARE_OF_RINGCENTRALS = 0.15


@pytest.mark.parametrize("access", ["admin", "read"])
async def test_the_definitions_of_the_tools_are_short(desk: Desk, era: Era, access: str) -> None:
    async with desk.client(era, RC_MCP_ACCESS=access) as client:
        costs = {tool["name"]: tokens(tool) for tool in await definitions(client)}
    assert sum(costs.values()) <= A_TOOL * len(costs), costs


async def test_a_row_of_the_office_is_short(desk: Desk) -> None:
    async with desk.client() as client:
        listing = await call(client, "list_messages", date_from="30d")
    assert len(rows(listing["messages"])) == len(desk.ids(availability="Alive"))
    assert row_tokens(listing) <= ROW


@pytest.mark.parametrize("scenario", ["empty", "office"])
@pytest.mark.parametrize("day", ["2027-01-03", "2027-06-03"])
async def test_the_usual_page_is_a_sixth_of_what_ringcentral_sends(tmp_path: Path, scenario: str, day: str) -> None:
    now = datetime.fromisoformat(f"{day}T12:00:00Z")
    async with mailbox(tmp_path, now, messages=300, scenario=scenario) as (desk, client):
        raw = await from_ringcentral(desk.emulator, "message-store", dateFrom="2000-01-01T00:00:00Z", perPage="100")
        listing = await call(client, "list_messages", date_from="90d")
    assert len(rows(listing["messages"])) == 100
    assert row_tokens(listing) <= ROW
    assert tokens(listing) <= SHARE_OF_RINGCENTRALS * tokens(raw)


def english(chance: Random) -> str:
    words = "please call the clinic back about the referral for tomorrow morning and bring your card thank you so much"
    return " ".join(chance.choices(words.split(), k=40))


def letters(of: str, n: int = 400) -> Callable[[Random], str]:
    def text(chance: Random) -> str:
        return "".join(chance.choices(of, k=n))

    return text


def between(first: int, last: int, n: int = 400) -> Callable[[Random], str]:
    return letters("".join(chr(c) for c in range(first, last)), n)


WRITERS: dict[str, Callable[[Random], str]] = {
    "English": english,
    "letters": letters("abcdefghijklmnopqrstuvwxyz"),
    "words of letters": letters("abcdefghijklmnopqrstuvwxyz   "),
    "capitals": letters("ABCDEFGHIJKLMNOPQRSTUVWXYZ "),
    "syllables": lambda chance: "".join(chance.choice("bdfgklmnprst") + chance.choice("aeiou ") for _ in range(200)),
    "base64": letters("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"),
    "digits": letters("0123456789 "),
    "signs": letters("""!"#$%&'()*+,-./:;<=>?@[]^_`{|}~\\"""),
    "Chinese": between(0x4E00, 0x9FFF),
    "Cyrillic": between(0x410, 0x450),
    "Thai": between(0xE01, 0xE2E),
    "emoji": between(0x1F300, 0x1F6FF),
    "mathematical": between(0x1D400, 0x1D7FF),
    "rare": between(0x20000, 0x2A6DF),
    "stacked marks": between(0x300, 0x36F),
    "nothing to see": letters("\u200b\u202e\u2066\U000e0041 x"),
}


@pytest.mark.parametrize("writer", WRITERS)
async def test_no_mailbox_makes_the_usual_answers_long(tmp_path: Path, writer: str) -> None:
    async with mailbox(tmp_path, scenario="empty") as (desk, client):
        desk.emulator.store.add_all(everything_by(WRITERS[writer], desk.clock(), 130))
        for tool in ("list_messages", "sync_messages"):
            for arguments in ({}, {"detail": "summary"}):
                said = await both_channels(client, tool, **arguments)
                assert tokens(said) < USUAL_ANSWER, (tool, arguments)


@pytest.mark.parametrize("writer", ["English", "letters", "syllables", "signs", "Chinese", "emoji", "stacked marks"])
async def test_no_answer_is_longer_than_a_host_shows(tmp_path: Path, writer: str) -> None:
    async with mailbox(tmp_path, scenario="empty") as (desk, client):
        token = (await call(client, "sync_messages"))["sync_token"]
        desk.emulator.store.add_all(everything_by(WRITERS[writer], desk.clock(), 1_100, chars=30))
        ids = desk.ids(availability="Alive")
        for arguments in (
            {"per_page": 1000},
            {"per_page": 1000, "detail": "full"},
            {"detail": "full"},
            {"detail": "summary"},
        ):
            await is_bounded(client, "list_messages", **arguments)
        for arguments in ({"record_count": 1000}, {"sync_token": token}, {"sync_token": token, "detail": "full"}):
            await is_bounded(client, "sync_messages", **arguments)
        await is_bounded(client, "read_message", message_id=ids[:50])
        for tool in tools_for("read"):
            if not tool.parameters.get("required"):
                await is_bounded(client, tool.name)
        await is_bounded(client, "read_message_content", message_id=ids[0])
        await is_bounded(client, "update_message", message_id=ids[:1000], read_status="Read")
        await is_bounded(client, "delete_message", message_id=ids[:200])


def ids_of_any_length() -> list[dict[str, Any]]:
    failed = {"direction": "Outbound", "messageStatus": "SendingFailed"}
    return [{"id": f"{n}{'9' * 50_000}", **failed} for n in range(50)]


def types_of_any_number() -> list[dict[str, Any]]:
    chance = Random(7)  # noqa: S311
    return [{"id": n, "type": letters("bcdfghjklmnpqrstvwxz", 60)(chance)} for n in range(1_000)]


def reasons_of_any_number() -> list[dict[str, Any]]:
    codes = [{"phoneNumber": f"+1503555{n:04d}", "faxErrorCode": f"Code{n}xqjz{'kvbw' * 12}"} for n in range(1_500)]
    failed = {"type": "Fax", "direction": "Outbound", "messageStatus": "SendingFailed"}
    return [{"id": n, "to": codes[n:] + codes[:n], **failed} for n in range(1, 10)]


def names_of_any_kind() -> list[dict[str, Any]]:
    rare = between(0x20000, 0x2A6DF, 120)
    chance = Random(7)  # noqa: S311
    to = [{"name": rare(chance), "phoneNumber": rare(chance)} for _ in range(50)]
    attached = [{"id": n, "type": "MmsAttachment", "fileName": rare(chance)} for n in range(50)]
    texts = {"subject": rare(chance) * 200, "coverPageText": rare(chance) * 200}
    return [{"id": n, "type": "Fax", "to": to, "attachments": attached, **texts} for n in range(3)]


def parties_of_any_number() -> list[dict[str, Any]]:
    rare, codes = between(0x20000, 0x2A6DF, 120), letters("bcdfghjklmnpqrstvwxz", 55)
    chance = Random(7)  # noqa: S311

    def party() -> dict[str, Any]:
        number = {"phoneNumber": rare(chance), "extensionNumber": rare(chance)}
        return {"name": rare(chance), **number, "messageStatus": codes(chance), "faxErrorCode": codes(chance)}

    everybody = {key: [party() for _ in range(60)] for key in ("from", "to", "vmSideRecipients")}
    owner = {"name": rare(chance), "extensionId": codes(chance), "extensionType": codes(chance)}
    others = {"forwarding": {"originalSender": party()}, "owner": owner, "subject": rare(chance) * 200}
    return [{"id": n, "type": "SMS", "direction": "Outbound", **everybody, **others} for n in range(1, 4)]


A_RECORD = [ids_of_any_length, types_of_any_number, reasons_of_any_number, names_of_any_kind, parties_of_any_number]


@pytest.mark.parametrize("records", A_RECORD)
async def test_no_record_makes_an_answer_longer_than_a_host_shows(
    desk: Desk, records: Callable[[], list[dict[str, Any]]]
) -> None:
    time = desk.clock().isoformat()
    held = [{"availability": "Alive", "creationTime": time, **record} for record in records()]
    gone = [{**record, "id": f"{record['id']}0", "availability": "Deleted"} for record in held]
    synced = {"syncType": "FSync", "syncToken": "token", "syncTime": time}

    def send(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith("/message-sync"):
            return httpx.Response(200, json={"records": [*held, *gone], "syncInfo": synced})
        if request.url.path.endswith("/message-store"):
            return httpx.Response(200, json={"records": held, "paging": {}, "navigation": {}})
        return httpx.Response(200, json=held[0]) if "/message-store/" in request.url.path else None

    desk.faults.before(send)
    async with desk.client() as client:
        for detail in ("summary", "rows", "full"):
            for many in ({}, {"per_page": 1000}):
                await is_bounded(client, "list_messages", detail=detail, **many)
            for many in ({}, {"record_count": 1000}, {"sync_token": "token"}):
                await is_bounded(client, "sync_messages", detail=detail, **many)
        await is_bounded(client, "read_message", message_id="1")


async def test_where_not_one_message_fits_the_answer_says_how_to_see_them(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for tool in ("list_messages", "sync_messages"):
        monkeypatch.setattr(sys.modules[f"rc_mcp.tools.{tool}"], "USUAL", TokenBudget(tokens=1, chars=1))
    async with desk.client() as client:
        many = await call(client, "list_messages", page=2, per_page=10, date_from="30d")
        one = await call(client, "list_messages", per_page=1, date_from="30d")
        synced = await call(client, "sync_messages", date_from="30d")
    assert many["messages"] == one["messages"] == synced["messages"] == {}
    assert "call again with per_page=1 and page=11, or with detail=summary" in many["next"]
    assert "call again with detail=summary" in one["next"]
    assert f"date_to={synced['window']['date_to']}" in synced["next"]


async def test_rows_cut_from_a_page_are_on_the_pages_it_names(tmp_path: Path) -> None:
    seen: list[str] = []
    async with mailbox(tmp_path, scenario="empty") as (desk, client):
        desk.emulator.store.add_all(everything_by(WRITERS["emoji"], desk.clock(), 130))
        place: dict[str, int] | None = {}
        while place is not None:
            listing = await call(client, "list_messages", **place)
            seen += [row["id"] for row in rows(listing["messages"])]
            place = the_next_page(listing)
            assert len(seen) <= 130
        expected = desk.ids(availability="Alive")
    assert seen == expected


async def test_a_later_page_that_is_cut_goes_on_where_it_ended(tmp_path: Path) -> None:
    async with mailbox(tmp_path, scenario="empty") as (desk, client):
        desk.emulator.store.add_all(everything_by(WRITERS["emoji"], desk.clock(), 250))
        second = await call(client, "list_messages", page=2)
        shown = [row["id"] for row in rows(second["messages"])]
        place = the_next_page(second)
        assert place
        rest = await call(client, "list_messages", **place)
        expected = desk.ids(availability="Alive")[100:]
    shown += [row["id"] for row in rows(rest["messages"])]
    assert 0 < place["per_page"] < 100
    assert shown == expected[: len(shown)]


async def test_a_shortened_page_still_names_the_missing_rows(tmp_path: Path) -> None:
    async with mailbox(tmp_path, scenario="empty") as (desk, client):
        desk.emulator.store.add_all(everything_by(WRITERS["emoji"], desk.clock(), 130))
        listing = await call(client, "list_messages", distinct_conversations=True)
    assert "not shown, to keep the answer short" in listing["next"]
    assert listing["next"].endswith("Voicemails and faxes have no conversation and may be missing here.")


async def test_messages_that_a_sync_has_no_room_for_are_named(tmp_path: Path) -> None:
    async with mailbox(tmp_path, scenario="empty") as (desk, client):
        token = (await call(client, "sync_messages"))["sync_token"]
        desk.clock.time += timedelta(minutes=5)
        desk.emulator.store.add_all(everything_by(WRITERS["emoji"], desk.clock(), 120))
        changes = await call(client, "sync_messages", sync_token=token)
        expected = desk.ids(availability="Alive")
    named = [row["id"] for part in ("new", "changed") for row in rows(changes.get(part, {}))] + changes["not_shown"]
    assert sorted(named) == sorted(expected)
    assert "not_shown" in changes["next"]


async def test_a_message_that_is_too_long_says_how_much_is_missing_and_where_it_is(tmp_path: Path) -> None:
    async with mailbox(tmp_path, scenario="empty") as (desk, client):
        text = "A long story. " * 4_000
        id_ = str(desk.emulator.store.add(Draft(type="SMS", text=text))["id"])
        message = (await call(client, "read_message", message_id=id_))["messages"][0]
    shown = message["untrusted"]["text"]
    left = int(message["left_out"].partition(" ")[0])
    assert abs(len(shown) + left - len(text)) < 5
    assert [a["type"] for a in message["attachments"]] == ["Text"]


@asynccontextmanager
async def mailbox(folder: Path, now: datetime | None = None, **options: Any) -> AsyncGenerator[tuple[Desk, Client]]:
    clock = Clock()
    clock.time = now or clock.time
    with Emulator(rate_limits=False, now=clock, **options) as emulator:
        desk = Desk(emulator, folder, clock, Faults(emulator))
        async with desk.client() as client:
            yield desk, client


def everything_by(writer: Callable[[Random], str], now: datetime, count: int, *, chars: int = 400) -> list[Draft]:
    """Return messages of all types with this text in every field that a sender can fill."""
    chance = Random(7)  # noqa: S311
    drafts: list[Draft] = []
    for n in range(count):
        who = Party(name=writer(chance)[:chars], phone_number=f"+1503555{n:04d}", location=writer(chance)[:chars])
        draft = Draft(type="SMS", sender=who, text=writer(chance)[:chars], created=now - timedelta(seconds=count - n))
        if n % 4 == 1:
            draft = replace(draft, type="VoiceMail", text=None, transcript=writer(chance), seconds=12)
        if n % 4 == 2:
            draft = replace(
                draft,
                direction="Outbound",
                sender=None,
                recipients=(who,),
                status="DeliveryFailed",
                error="SMS-CAR-450",
            )
        drafts.append(draft)
    return drafts


async def both_channels(client: Client, tool: str, **arguments: Any) -> str:
    """Return the answer's text, which equals its structured content."""
    result = await client.call_tool(tool, arguments)
    text = text_of(result)
    assert not result.is_error, text
    if result.structured_content is not None:
        assert compact(result.structured_content) == text
    return text


async def is_bounded(client: Client, tool: str, **arguments: Any) -> None:
    said = await both_channels(client, tool, **arguments)
    assert len(said) <= ANY_ANSWER_CHARS, (tool, arguments)
    assert tokens(said) <= ANY_ANSWER_TOKENS, (tool, arguments)


def row_tokens(listing: dict[str, Any]) -> float:
    all_rows = [row for table in listing["messages"].values() for row in table["untrusted_rows"]]
    return tokens(all_rows) / len(all_rows)


def the_next_page(listing: dict[str, Any]) -> dict[str, int] | None:
    """What `next` says to call again with."""
    if cut := re.search(r"per_page=(\d+) and page=(\d+)", listing["next"]):
        return {"per_page": int(cut[1]), "page": int(cut[2])}
    if more := re.search(r"page (\d+)\.", listing["next"]):
        return {"per_page": listing["page"]["per_page"], "page": int(more[1])}
    return None
