"""Tests of search_messages: what is found, what the answer says about the copy, and what it costs."""

import json
import re
import shlex
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx2 as httpx
import pytest
from mcp import Client

from rc_mcp.cli.demo.screen import rows
from rc_mcp.emulator import Draft, Emulator, Party
from rc_mcp.mirror.database import FILE
from rc_mcp.mirror.search import MAX_LIMIT, MOST_COUNTED
from rc_mcp.ringcentral import Availability
from rc_mcp.tools import SEARCH
from rc_mcp.views.hits import ONLY_IN_COPY
from tests.desk import Clock, Desk, Era, Faults, call, refused
from tests.searching import feeding, searching
from tests.tokens import definitions, tokens
from tests.views.hostile_texts import TEXTS
from tests.views.test_hostile_texts import MARK, invisible_in, marked, trusted

pytestmark = pytest.mark.anyio

CURSOR = re.compile(r"cursor=([\w-]+)")
A_TOOL, TWENTY_ROWS = 450, 1_500


def found(answer: dict[str, Any]) -> list[str]:
    """The ids of the messages of an answer."""
    return [row["id"] for row in rows(answer["messages"])]


def text_message(desk: Desk, text: str, **sender: str) -> str:
    """Let a text message arrive; its id."""
    party = Party(**{"phone_number": "+16505550177", **sender})
    return str(desk.emulator.store.add(Draft(type="SMS", sender=party, text=text))["id"])


async def test_without_a_local_copy_nothing_of_it_is_offered(desk: Desk, era: Era) -> None:
    async with desk.client(era) as client:
        without = await definitions(client)
    async with desk.client(era, RC_MCP_MIRROR="off") as client:
        assert await definitions(client) == without
    async with feeding(desk), desk.client(era, RC_MCP_MIRROR="on") as client:
        with_copy = await definitions(client)
    assert [tool["name"] for tool in with_copy if tool not in without] == ["list_messages", SEARCH]
    assert SEARCH not in json.dumps(without)
    assert SEARCH in with_copy[0]["description"]


async def test_every_level_of_tools_can_search(desk: Desk) -> None:
    async with searching(desk, RC_MCP_ACCESS="read") as (client, _):
        assert (await call(client, SEARCH, query="referral"))["total"] > 0


@pytest.mark.process
async def test_a_word_that_was_only_spoken_or_faxed_is_found_and_its_message_can_be_read(desk: Desk, era: Era) -> None:
    async with searching(desk, era, texts=True) as (client, _):
        for query, word in [("type:voicemail swollen", "swollen"), ("type:fax referral", "referral")]:
            answer = await call(client, SEARCH, query=query)
            (row,) = rows(answer["messages"])
            assert word in row["untrusted_snippet"].lower()
            read = await call(client, "read_message", message_id=[row["id"]])
            assert read["messages"][0]["id"] == row["id"]


async def test_a_search_sends_nothing_to_ringcentral(desk: Desk) -> None:
    async with searching(desk) as (client, _):
        before = len(desk.emulator.requests)
        await call(client, SEARCH, query="referral")
        await refused(client, SEARCH, query="colour:red")
        assert len(desk.emulator.requests) == before


@pytest.mark.process
async def test_the_answer_says_what_was_searched(desk: Desk) -> None:
    async with searching(desk, texts=True) as (client, _):
        answer = await call(client, SEARCH, query="referral")
    messages = [m for m in desk.emulator.store.messages() if m["availability"] != "Purged"]
    coverage = answer["coverage"]
    assert coverage["messages"] == len(messages)
    assert coverage["contents_missing"] == 0
    assert coverage["date_from"][:10] <= min(m["creationTime"] for m in messages)[:10]
    assert coverage["synced_at"]
    assert coverage["contents_unreadable"] > 0  # scans
    assert str(coverage["contents_unreadable"]) in answer["next"]


@pytest.mark.process
async def test_texts_that_are_not_there_yet_are_counted(desk: Desk) -> None:
    async with feeding(desk) as feed:
        await feed.sync()
        async with desk.client(RC_MCP_MIRROR="on") as client:
            none = await call(client, SEARCH, query="swollen")
            assert none["total"] == 0
            assert none["coverage"]["contents_missing"] > 0
            missing = str(none["coverage"]["contents_missing"])
            assert missing in none["next"]
            await feed.texts()
            assert (await call(client, SEARCH, query="swollen"))["total"] == 1


async def test_a_copy_without_a_first_fill_says_so(desk: Desk) -> None:
    async with feeding(desk), desk.client(RC_MCP_MIRROR="on") as client:
        answer = await call(client, SEARCH, query="referral")
    assert answer["total"] == answer["coverage"]["messages"] == 0
    assert "synced_at" not in answer["coverage"]
    assert "not complete" in answer["next"]


async def test_pages_of_a_search_show_each_message_once(desk: Desk) -> None:
    for n in range(30):
        text_message(desk, f"invoice {n}")
    async with searching(desk) as (client, _):
        for sort in ("newest", "relevance"):
            seen, cursor, ranks = list[str](), dict[str, str](), list[int]()
            while True:
                answer = await call(client, SEARCH, query="invoice", sort=sort, limit=7, **cursor)
                ranks += sorted(row["rank"] for row in rows(answer["messages"]) if "rank" in row)
                assert answer["total"] >= 30
                seen += found(answer)
                text_message(desk, "invoice that comes meanwhile")
                if not (next_page := CURSOR.search(answer["next"])):
                    break
                cursor = {"cursor": next_page[1]}
            assert len(seen) == len(set(seen)) == answer["total"]
            assert ranks == ([*range(1, len(seen) + 1)] if sort == "relevance" else [])


async def test_more_matches_than_are_counted_are_said_to_be_more(tmp_path: Path) -> None:
    async with busy(tmp_path, messages=1_500) as client:
        answer = await call(client, SEARCH, query="newer_than:300d", limit=1)
    assert (answer["total"], answer["total_is_at_least"]) == (MOST_COUNTED, True)
    assert answer["coverage"]["messages"] > MOST_COUNTED


async def test_the_most_relevant_messages_have_their_rank_across_types(desk: Desk) -> None:
    async with searching(desk) as (client, _):
        answer = await call(client, SEARCH, query="referral", sort="relevance")
        assert len(answer["messages"]) > 1
        assert sorted(row["rank"] for row in rows(answer["messages"])) == [*range(1, answer["total"] + 1)]
        assert not any(
            "rank" in table["columns"] for table in (await call(client, SEARCH, query="referral"))["messages"].values()
        )


@pytest.mark.parametrize("query", ["fron:maria", "type:letter", "after:soon", "a OR", "(", "x" * 1_001, "", "-"])
async def test_a_query_that_cannot_be_read_is_an_error_and_not_a_search_for_its_text(desk: Desk, query: str) -> None:
    async with searching(desk) as (client, _):
        error = await refused(client, SEARCH, query=query)
    assert "SELECT" not in error
    assert "fts5" not in error.lower()


async def test_the_nearest_operator_is_named(desk: Desk) -> None:
    async with searching(desk) as (client, _):
        assert "from:" in await refused(client, SEARCH, query="fron:maria")


@pytest.mark.parametrize("cursor", ["x", "ä", "AAAA" * 20])
async def test_a_cursor_of_another_search_is_refused(desk: Desk, cursor: str) -> None:
    async with searching(desk) as (client, _):
        assert "cursor" in await refused(client, SEARCH, query="referral", cursor=cursor)
        page = CURSOR.search((await call(client, SEARCH, query="referral", limit=1))["next"])
        assert page
        assert "cursor" in await refused(client, SEARCH, query="invoice", cursor=page[1])


async def test_a_number_may_be_written_as_a_number(desk: Desk) -> None:
    id_ = text_message(desk, "the code is 4711")
    async with searching(desk) as (client, _):
        assert found(await call(client, SEARCH, query=4711, limit="5")) == [id_]


async def test_an_extension_that_is_not_allowed_is_not_searched(desk: Desk) -> None:
    async with searching(desk) as (client, _):
        assert "extension_id" in await refused(client, SEARCH, query="referral", extension_id="999")


async def test_a_mailbox_that_ringcentral_does_not_let_the_login_read_is_not_searched(desk: Desk) -> None:
    async with searching(desk, RC_MCP_EXTENSIONS="999") as (client, _):
        assert "CMN-102" in await refused(client, SEARCH, query="referral", extension_id="999")
        own = await call(client, SEARCH, query="referral", extension_id="~")
        assert own["total"] > 0


async def test_deleted_messages_are_hidden_unless_asked_for_and_purged_ones_are_gone(desk: Desk) -> None:
    id_ = text_message(desk, "pelican")
    async with searching(desk) as (client, feed):
        assert found(await call(client, SEARCH, query="pelican")) == [id_]
        stages: list[tuple[Availability, list[str]]] = [("Deleted", [id_]), ("Purged", [])]
        for availability, visible in stages:
            record = desk.emulator.store.find(id_)
            assert record
            desk.emulator.store.move(record, availability)
            await feed.sync()
            assert found(await call(client, SEARCH, query="pelican")) == []
            assert found(await call(client, SEARCH, query="pelican is:deleted")) == visible


async def test_a_message_that_only_the_copy_still_has_says_so(desk: Desk) -> None:
    (oldest, *_) = sorted(desk.ids(type="VoiceMail", availability="Alive"), key=lambda i: _at(desk, i))
    async with searching(desk) as (client, feed):
        desk.ahead = timedelta(days=40)
        desk.emulator.store.forget("id = ?", int(oldest))
        await feed.compare()
        answer = await call(client, SEARCH, query="type:voicemail", limit=MAX_LIMIT)
        kept = {row["id"] for row in rows(answer["messages"]) if row.get("availability") == ONLY_IN_COPY}
    assert kept == {oldest}
    assert answer["coverage"]["kept"] == 1


def _at(desk: Desk, id_: str) -> str:
    return (desk.emulator.store.message(id_) or {})["creationTime"]


async def test_a_copy_that_is_behind_says_so(desk: Desk) -> None:
    async with searching(desk) as (client, _):
        assert "up to date" not in (await call(client, SEARCH, query="referral"))["next"]
        desk.clock.time += timedelta(minutes=30)
        assert "up to date" in (await call(client, SEARCH, query="referral"))["next"]


async def test_ringcentral_out_of_reach_stops_no_search_in_a_copy_that_is_there(desk: Desk) -> None:
    async with feeding(desk) as feed:
        await feed.sync()

    def unreachable(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no network", request=request)

    desk.faults.before(unreachable)
    async with desk.client(RC_MCP_MIRROR="on") as client:
        assert (await call(client, SEARCH, query="referral"))["total"] > 0


async def test_a_copy_that_cannot_be_opened_is_an_error_of_searches_only(desk: Desk) -> None:
    desk.state_dir.mkdir(parents=True)
    (desk.state_dir / FILE).mkdir()
    async with desk.client(RC_MCP_MIRROR="on") as client:
        error = await refused(client, SEARCH, query="referral")
        assert str(desk.state_dir) not in error
        assert await call(client, "list_messages")


async def test_a_query_that_spells_the_index_s_own_syntax_is_only_text(desk: Desk) -> None:
    hostile = [
        "words MATCH 'x'",
        "NEAR(a b, 3)",
        "a AND NOT b",
        "^a",
        "{text}",
        "a*b*",
        "x'; DROP TABLE message; --",
        "\0a",
    ]
    async with searching(desk) as (client, _):
        for query in hostile:
            result = await client.call_tool(SEARCH, {"query": query})
            said = json.dumps(result.structured_content or result.model_dump(mode="json"))
            assert "syntax error" not in said
            assert "failed inside" not in said
        assert (await call(client, SEARCH, query="referral"))["total"] > 0


async def test_hostile_texts_stay_in_their_fields(tmp_path: Path) -> None:
    clock = Clock()
    with Emulator(rate_limits=False, now=clock) as emulator:
        desk = Desk(emulator, tmp_path, clock, Faults(emulator))
        for n in range(len(TEXTS)):
            text_message(desk, marked(n), name=f"{marked(n)[:60]}")
        async with searching(desk) as (client, _):
            seen, cursor = 0, dict[str, str]()
            while True:
                answer = await call(client, SEARCH, query="type:sms newer_than:2d", limit=MAX_LIMIT, **cursor)
                for row in rows(answer["messages"]):
                    seen += bool(MARK.search(row.get("untrusted_snippet") or ""))
                    assert not invisible_in(row.get("untrusted_snippet") or "")
                assert not [text for text in trusted(answer) if MARK.search(text)]
                if "limit=" in answer["next"]:  # long texts: fewer fit
                    limit = re.search(r"limit=(\d+)", answer["next"])
                    assert limit
                    answer = await call(client, SEARCH, query="type:sms newer_than:2d", limit=int(limit[1]), **cursor)
                if not (next_page := CURSOR.search(answer["next"])):
                    break
                cursor = {"cursor": next_page[1]}
    assert seen >= len(TEXTS)


async def test_the_tool_and_its_rows_are_short(tmp_path: Path) -> None:
    async with busy(tmp_path, messages=300) as client:
        definition = next(tool for tool in await definitions(client) if tool["name"] == SEARCH)
        assert tokens(definition) <= A_TOOL
        for query in ("newer_than:90d", "type:voicemail", "type:text", "type:fax"):
            answer = await call(client, SEARCH, query=query)
            assert len(found(answer)) == 20
            assert tokens(answer) <= TWENTY_ROWS, query


@asynccontextmanager
async def busy(tmp_path: Path, messages: int) -> AsyncGenerator[Client]:
    """A client that searches a mailbox of so many made-up messages, and the office's."""
    clock = Clock()
    with Emulator(rate_limits=False, now=clock, messages=messages) as emulator:
        async with searching(Desk(emulator, tmp_path, clock, Faults(emulator))) as (client, _):
            yield client


async def test_a_contact_s_name_finds_its_messages_and_is_shown(desk: Desk, tmp_path: Path) -> None:
    id_ = text_message(desk, "the van is ready")
    book = tmp_path / "contacts.vcf"
    book.write_text("BEGIN:VCARD\nVERSION:3.0\nFN:Zora \u202eQuill\nTEL:(650) 555-0177\nEND:VCARD\n", "utf-8")
    async with searching(desk, RC_MCP_CONTACTS=str(book)) as (client, _):
        answer = await call(client, SEARCH, query="from:zora")
        assert found(answer) == [id_]
        assert rows(answer["messages"])[0]["untrusted_who"] == "Zora Quill +16505550177"
        listed = await call(client, "list_messages", date_from="1d")
        assert "Zora" not in json.dumps(listed)


async def test_a_value_that_means_several_people_names_them(desk: Desk) -> None:
    for name, number in (("Zelda Ruiz", "+16505550177"), ("Zelda Prado", "+16505550178")):
        text_message(desk, "hello", name=name, phone_number=number)
    async with searching(desk) as (client, _):
        answer = await call(client, SEARCH, query="from:zelda")
        assert answer["total"] == 2
        assert set(answer["untrusted_ambiguous"]["zelda"]) == {"Zelda Ruiz +16505550177", "Zelda Prado +16505550178"}
        assert "untrusted_ambiguous" not in await call(client, SEARCH, query="from:ruiz")


@pytest.mark.process
async def test_an_encrypted_copy_is_searched_with_its_key_and_refused_without(desk: Desk) -> None:
    def command(key: str) -> str:
        return shlex.join([sys.executable, "-c", f"print({key!r})"])

    own, other = command("a key of sixteen or more"), command("another key of that length")
    text_message(desk, "pelican")
    async with desk.client("auto", None, RC_MCP_MIRROR="on", RC_MCP_MIRROR_KEY_COMMAND=own) as client:
        with anyio.fail_after(30):
            while not (await call(client, SEARCH, query="pelican"))["total"]:
                pass  # it is being filled
    assert not any(b"pelican" in file.read_bytes() for file in desk.state_dir.glob("mirror*"))
    for variables in ({}, {"RC_MCP_MIRROR_KEY_COMMAND": other}):
        async with desk.client("auto", None, RC_MCP_MIRROR="on", **variables) as client:
            assert "rc-mcp mirror forget" in await refused(client, SEARCH, query="pelican")
            assert await call(client, "list_messages")
