"""Arguments as hosts and models send them: values with one meaning are taken, others are refused."""

import json
import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx2 as httpx
import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from rc_mcp.cli.demo.screen import rows
from rc_mcp.emulator import Draft, File, Party
from rc_mcp.tools import tools_for
from rc_mcp.tools.arguments import NO_PEOPLE
from rc_mcp.tools.strict_tool import StrictTool
from rc_mcp.views.other_stores import QUEUE_TEXTS
from tests.desk import YES, Desk, Era, call, refused, text_of
from tests.documents import pdf

pytestmark = pytest.mark.anyio

NO_ID = [5.5, True, False, -5, 2**53, 2**53 + 1.0, 6015823250778212345, {"id": 5}, "x", " 5"]
NOT_SENT = "Nothing was sent to RingCentral."


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ({"per_page": 5.0}, {"per_page": 5}),
        ({"per_page": "5"}, {"per_page": 5}),
        ({"page": "1"}, {"page": 1}),
        ({"page": 1.0, "per_page": "40"}, {"page": 1, "per_page": 40}),
        ({"distinct_conversations": "true"}, {"distinct_conversations": True}),
        ({"distinct_conversations": "false"}, {"distinct_conversations": False}),
        ({"message_type": '["Fax", "SMS"]'}, {"message_type": ["Fax", "SMS"]}),
        ({"message_type": "Fax"}, {"message_type": ["Fax"]}),
        ({"conversation_id": 12345}, {"conversation_id": "12345"}),
    ],
)
async def test_a_value_with_one_meaning_is_taken_in_another_spelling(
    desk: Desk, era: Era, sent: dict[str, Any], meant: dict[str, Any]
) -> None:
    async with desk.client(era) as client:
        assert await call(client, "list_messages", **sent) == await call(client, "list_messages", **meant)
        first, second = desk.sent("GET")[:2]
        assert first.partition("&dateFrom")[0] == second.partition("&dateFrom")[0]


REQUIRED: dict[str, dict[str, Any]] = {
    "update_message": {"read_status": "Read"},
    "patch_message": {"availability": "Alive"},
    "update_message_store_configuration": {"retention_period": 60},
}
"""What a call needs besides ids."""


async def answers(desk: Desk, era: Era, empty: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Call each tool with its required arguments, and with these values for all others; return what came back.

    `empty` has a value for each type of JSON. Plans have random names, and a sync token names its time.
    """
    found: list[dict[str, Any]] = []
    conversation = next(str(m["conversationId"]) for m in desk.emulator.store.messages() if "conversationId" in m)
    async with desk.client(era) as client:
        for each in tools_for("admin"):
            properties = each.parameters["properties"]
            ids = {"message_id": desk.ids(type="Fax")[0], "conversation_id": conversation}
            given = {n: ids[n] for n in each.parameters.get("required", []) if n in ids} | REQUIRED.get(each.name, {})
            if empty is not None:
                given |= {n: empty[json_type(s)] for n, s in properties.items() if n not in given}
            answer = json.loads(text_of(await client.call_tool(each.name, given)))
            found.append({k: v for k, v in answer.items() if k not in {"plan_id", "sync_token", "next", "preview"}})
    return found


def json_type(schema: dict[str, Any]) -> str:
    return schema.get("type") or schema["anyOf"][0]["type"]


NULL: dict[str, Any] = dict.fromkeys(("string", "array", "integer", "boolean"))
EMPTY: list[Any] = [None, "", []]


EMPTIES: list[dict[str, Any]] = [
    NULL,
    dict.fromkeys(NULL, ""),
    {"string": [], "array": [], "integer": [], "boolean": []},
    {"string": "", "array": [], "integer": None, "boolean": False},
]


@pytest.mark.parametrize("empty", EMPTIES, ids=["null", "strings", "lists", "strict"])
@pytest.mark.process
async def test_a_call_with_all_optional_arguments_empty_is_the_call_without_them(
    desk: Desk, era: Era, empty: dict[str, Any]
) -> None:
    fax = File(name="fax.pdf", data=pdf(["Pages with a text layer"]))  # others take seconds of OCR
    desk.emulator.store.add(Draft(type="Fax", media=(fax,)))
    await answers(desk, era, None)  # marks, so that marking again changes nothing
    without = await answers(desk, era, None)
    assert [a.get("status") for a in without if "status" in a].count("confirmation_required") == 3
    assert await answers(desk, era, empty) == without


async def test_a_restore_through_a_strict_schema_changes_no_read_status(desk: Desk, era: Era) -> None:
    unread, read = (
        str(desk.emulator.store.add(Draft(type="SMS", text="x", read=s == "Read", availability="Deleted"))["id"])
        for s in ("Unread", "Read")
    )
    async with desk.client(era) as client:
        for nothing in EMPTY:
            strict: dict[str, Any] = {"read_status": nothing, "account_id": "~", "extension_id": "~"}
            await call(client, "patch_message", message_id=[unread, read], availability="Alive", **strict)
    stored = [desk.emulator.store.message(id_) or {} for id_ in (unread, read)]
    assert [m["readStatus"] for m in stored] == ["Unread", "Read"]
    assert [m["availability"] for m in stored] == ["Alive", "Alive"]


@pytest.mark.parametrize("name", [t.name for t in tools_for("admin") if t.parameters.get("required")])
@pytest.mark.parametrize("nothing", ["", [], None, "[]"], ids=repr)
async def test_a_required_argument_is_never_empty(desk: Desk, name: str, nothing: object) -> None:
    needed = tool(name).parameters["required"]
    others: dict[str, Any] = {"read_status": "Read"} if name == "update_message" else {}
    async with desk.client() as client:
        for argument in needed:
            said = await refused(client, name, **{**dict.fromkeys(needed, "5"), **others, argument: nothing})
            assert argument in said
            assert said.endswith(NOT_SENT)
    assert desk.emulator.requests == []


async def test_an_empty_list_of_a_filter_in_quotes_is_no_filter(desk: Desk, era: Era) -> None:
    lists = [n for n, s in tool("list_messages").parameters["properties"].items() if s.get("type") == "array"]
    async with desk.client(era) as client:
        assert await call(client, "list_messages", **dict.fromkeys(lists, "[]")) == await call(client, "list_messages")
    assert len(lists) >= 6


async def test_a_word_of_a_filter_that_is_there_twice_counts_once(desk: Desk, era: Era) -> None:
    async with desk.client(era) as client:
        often = await call(client, "list_messages", message_type=["Fax", "SMS"] * 500, direction=["Inbound"] * 5)
        once = await call(client, "list_messages", message_type=["Fax", "SMS"], direction="Inbound")
    assert often == once


@pytest.mark.parametrize("value", [[], "[]", "", ["5"] * 1_001], ids=["none", "none in quotes", "empty", "too many"])
async def test_ids_that_are_none_or_too_many_are_refused_in_words_of_ours(desk: Desk, value: object) -> None:
    async with desk.client() as client:
        for name in (
            t.name for t in tools_for("admin") if t.parameters["properties"].get("message_id", {}).get("items")
        ):
            others = {"read_status": "Read"} if name in {"update_message", "patch_message"} else {}
            said = await refused(client, name, message_id=value, **others)
            assert said.startswith("message_id")
            assert said.endswith(NOT_SENT)
            assert "validation" not in said
    assert desk.emulator.requests == []


@pytest.mark.parametrize("nothing", ["", [], None], ids=repr)
async def test_an_empty_plan_id_is_no_plan(desk: Desk, era: Era, nothing: object) -> None:
    id_ = desk.ids(type="VoiceMail", availability="Alive")[0]
    async with desk.client(era) as client:
        for _ in range(2):
            answer = await call(client, "delete_message", message_id=id_, plan_id=nothing)
            assert answer["status"] == "confirmation_required"
    assert desk.sent("DELETE") == []


@pytest.mark.parametrize("nothing", ["", [], None, "null", "false", 0, "no"], ids=repr)
async def test_nothing_empty_makes_a_delete_a_purge(desk: Desk, era: Era, nothing: object) -> None:
    id_ = desk.ids(type="VoiceMail", availability="Alive")[0]
    async with desk.client(era, answer=YES) as client:
        result = await client.call_tool("delete_message", {"message_id": id_, "purge": nothing})
    assert (desk.emulator.store.message(id_) or {})["availability"] == ("Alive" if result.is_error else "Deleted")


async def test_values_that_the_published_schema_allows_are_taken(desk: Desk, era: Era) -> None:
    """All types of JSON for each argument of a read; of the strings only those without a form of their own."""
    values: list[Any] = [
        5,
        5.0,
        1e3,
        5.5,
        -1,
        0,
        "5",
        "5.0",
        True,
        False,
        "true",
        None,
        [],
        [5],
        ["5"],
        [None],
        {},
        "{}",
        10**30,
    ]
    strings = ("date_", "_id", "phone_number", "sync_token", "owner")  # their forms are not in the schema
    async with desk.client(era) as client:
        for name in ("list_messages", "sync_messages"):
            schema = tool(name).parameters
            for argument in schema["properties"].keys() - {"account_id"}:  # the emulator knows only one
                for value in values:
                    is_valid = Draft202012Validator(schema).is_valid({argument: value})  # pyright: ignore[reportUnknownMemberType]
                    result = await client.call_tool(name, {argument: value})
                    if is_valid and not (result.is_error and any(part in argument for part in strings)):
                        assert not result.is_error, (argument, value, text_of(result))
                    if result.is_error:
                        assert text_of(result).startswith(argument), (value, text_of(result))


async def test_a_sync_takes_a_count_in_quotes(desk: Desk) -> None:
    async with desk.client() as client:
        await call(client, "sync_messages", record_count="7", distinct_conversations="true")
    assert "distinctConversations=true" in desk.sent("GET")[0]
    assert "recordCount=7" in desk.sent("GET")[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("per_page", 5.5),
        ("per_page", True),
        ("per_page", "5.0"),
        ("per_page", "five"),
        ("per_page", "1e2"),
        ("per_page", "05"),
        ("page", "0"),
        ("page", "9" * 400),
        ("distinct_conversations", 1),
        ("distinct_conversations", "yes"),
        ("distinct_conversations", "True"),
        ("date_from", 20261123),
        ("detail", 1),
        ("message_type", True),
        ("message_type", {"type": "Fax"}),
    ],
)
async def test_any_other_spelling_is_refused_by_name(desk: Desk, name: str, value: object) -> None:
    async with desk.client() as client:
        said = await refused(client, "list_messages", **{name: value})
    assert said.startswith(name)
    assert said.endswith(NOT_SENT)
    assert "Input should be a valid" not in said
    assert desk.emulator.requests == []


@pytest.mark.parametrize("spelling", ['"{}"', "{}", "{}.0", "[{}]", '["{}"]', '"[{}]"', '"[\\"{}\\"]"'])
async def test_an_id_is_read_as_a_number_as_long_as_it_is_exact(desk: Desk, era: Era, spelling: str) -> None:
    id_ = desk.ids(type="VoiceMail")[0]
    sent = json.loads(spelling.format(id_))
    async with desk.client(era, answer=YES) as client:
        assert (await call(client, "read_message", message_id=sent))["messages"][0]["id"] == id_
        marked = await call(client, "update_message", message_id=sent, read_status="Read")
        assert marked["outcomes"] == {id_: "updated"}
        deleted = await call(client, "delete_message", message_id=sent)
    assert deleted["outcomes"] == {id_: "deleted"}


@pytest.mark.process
async def test_ids_and_pages_of_an_attachment_are_read_as_numbers(desk: Desk) -> None:
    fax = desk.emulator.store.message(desk.ids(type="Fax")[0]) or {}
    names = {"message_id": int(fax["id"]), "attachment_id": int(fax["attachments"][0]["id"])}
    async with desk.client() as client:
        result = await client.call_tool("read_message_content", {**names, "form": "pages", "pages": 1})
    assert not result.is_error


@pytest.mark.parametrize("value", NO_ID, ids=str)
@pytest.mark.parametrize(
    ("tool", "name"),
    [
        ("read_message", "message_id"),
        ("read_message_content", "message_id"),
        ("list_messages", "conversation_id"),
        ("list_messages", "extension_id"),
        ("list_messages", "owner"),
        ("patch_message", "message_id"),
        ("delete_message", "message_id"),
        ("delete_message_by_filter", "conversation_id"),
    ],
)
async def test_a_value_that_is_no_exact_id_is_refused_before_anything_is_sent(
    desk: Desk, tool: str, name: str, value: Any
) -> None:
    others = {"availability": "Alive"} if tool == "patch_message" else {}
    async with desk.client() as client:
        for spelled in (value, [value]):
            said = await refused(client, tool, **{name: spelled}, **others)
            assert said.startswith(name)
            assert said.endswith(NOT_SENT)
    assert desk.emulator.requests == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_float_that_json_does_not_have_is_no_id(value: float) -> None:
    for tool in tools_for("admin"):
        if "message_id" in tool.parameters["properties"]:
            with pytest.raises(ValidationError) as caught:
                tool.fn_metadata.arg_model.model_validate({"message_id": value, "read_status": "Read"})
            assert caught.value.errors()[0]["loc"][0] == "message_id"


async def test_a_number_too_large_to_be_exact_is_told_from_a_wrong_one(desk: Desk) -> None:
    async with desk.client() as client:
        large = await refused(client, "read_message", message_id=2**53)
        wrong = await refused(client, "read_message", message_id=5.5)
    assert "ids are strings" in large
    assert "ids are strings" not in wrong


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("delete_message", {"message_id": "5", "purge": "true"}),
        ("delete_message", {"message_id": "5", "purge": "false"}),
        ("delete_message", {"message_id": "5", "purge": 0}),
        ("delete_message_by_filter", {"conversation_id": "5", "purge": "true"}),
        ("delete_message_by_filter", {"conversation_id": "5", "date_to": 20261123}),
        ("update_message_store_configuration", {"retention_period": "30"}),
        ("update_message_store_configuration", {"retention_period": 30.5}),
    ],
)
async def test_nothing_but_ids_is_taken_in_another_spelling_by_a_tool_that_deletes(
    desk: Desk, tool: str, arguments: dict[str, Any]
) -> None:
    async with desk.client() as client:
        said = await refused(client, tool, **arguments)
    assert said.startswith([*arguments][-1])
    assert desk.emulator.requests == []


async def test_a_whole_number_with_a_decimal_point_is_an_integer_as_the_schema_says(desk: Desk) -> None:
    async with desk.client() as client:
        answer = await call(client, "update_message_store_configuration", retention_period=60.0)
    assert answer["status"] == "confirmation_required"


@pytest.mark.parametrize("extension", ["102", 102, 102.0])
@pytest.mark.parametrize("name", ["extension_id", "owner", "voicemail_owner"])
async def test_an_extension_that_the_operator_does_not_allow_is_refused_in_every_spelling(
    desk: Desk, name: str, extension: object
) -> None:
    async with desk.client() as client:
        for spelled in (extension, [extension]) if name != "extension_id" else (extension,):
            said = await refused(client, "list_messages", **{name: spelled})
            assert "does not allow" in said
    assert desk.emulator.requests == []


def tool(name: str) -> StrictTool:
    return next(tool for tool in tools_for("admin") if tool.name == name)


def test_the_published_schema_is_that_of_the_types_alone() -> None:
    published = {tool.name: tool.parameters["properties"] for tool in tools_for("admin")}
    per_page = published["list_messages"]["per_page"]
    assert per_page["anyOf"] == [{"type": "integer", "minimum": 1, "maximum": 1000}, {"type": "null"}]
    assert published["list_messages"]["distinct_conversations"]["type"] == "boolean"
    assert published["read_message"]["message_id"]["items"] == {"type": "string"}
    assert not {'"ge"', '"le"', '"const"'} & set(re.findall(r'"\w+"', json.dumps(published)))
    assert published["patch_message"]["availability"]["anyOf"] == [
        {"enum": ["Alive"], "type": "string"},
        {"type": "null"},
    ]


def test_an_optional_argument_has_an_empty_value_or_a_default_that_the_schema_allows() -> None:
    for each in tools_for("admin"):
        for name, schema in each.parameters["properties"].items():
            if name not in each.parameters.get("required", []):
                empty = [value for value in EMPTY if Draft202012Validator(schema).is_valid(value)]  # pyright: ignore[reportUnknownMemberType]
                assert empty or "default" in schema, (each.name, name)
                assert None in empty or "enum" not in json.dumps(schema) or schema["type"] == "array"


@pytest.mark.parametrize("sender", ["BANKPL", "Google", "22000", "AT&T", "O2", "Dr. Smith", "611"])
async def test_senders_with_names_and_short_codes_can_be_searched(desk: Desk, era: Era, sender: str) -> None:
    id_ = str(desk.emulator.store.add(Draft(type="SMS", text="a code", sender=Party(phone_number=sender)))["id"])
    async with desk.client(era) as client:
        listing = await call(client, "list_messages", phone_number=sender)
    assert [row["id"] for row in rows(listing["messages"])] == [id_]
    assert len(desk.sent("GET")) == 1


@pytest.mark.parametrize("value", ["x", "A name of many letters", "BANK\nPL", "<b>", "+", "(6", "6" * 40, "\uff22ANK"])
async def test_a_value_that_no_sender_has_is_refused(desk: Desk, value: str) -> None:
    async with desk.client() as client:
        said = await refused(client, "list_messages", phone_number=value)
    assert said.startswith("phone_number: must be ")
    assert desk.emulator.requests == []


@pytest.mark.parametrize(
    ("stored", "given"),
    [
        ("+16505550118", "(650) 555-0118"),
        ("+16505550118", "650.555.0118"),
        ("+16505550118", "6505550118"),
        ("+16505550118", 6505550118),
        ("+16505550118", "011 1 650 555 0118"),
        ("+442079460000", "+44 (0)20 7946 0000"),
        ("+442079460000", "0044 20 7946 0000"),
        ("+442079460000", "0044 (0)20 7946 0000"),
        ("+61255500118", "0011 61 2 5550 0118"),
    ],
)
async def test_a_number_in_another_spelling_finds_the_same_and_the_answer_says_so(
    desk: Desk, era: Era, stored: str, given: object
) -> None:
    id_ = str(desk.emulator.store.add(Draft(type="SMS", text="hello", sender=Party(phone_number=stored)))["id"])
    async with desk.client(era) as client:
        listing = await call(client, "list_messages", phone_number=given)
    assert [row["id"] for row in rows(listing["messages"])] == [id_]
    assert listing["filters"]["phone_number"] == stored
    assert str(given) in listing["next"]
    assert len(desk.sent("GET")) == 2


@pytest.mark.parametrize(
    ("given", "requests"),
    [
        ("+16505550199", 1),
        ("650-555-0199", 2),
        ("020 7946 0000", 1),
        ("(0)20 7946 0000", 1),
        ("0113 496 0000", 1),
        ("(011) 4321-8765", 1),
        ("11 98765-4321", 1),
        ("BANKPL", 1),
        ("22000", 1),
    ],
)
async def test_a_number_without_messages_is_asked_for_once_more_only_in_another_spelling(
    desk: Desk, given: str, requests: int
) -> None:
    async with desk.client() as client:
        listing = await call(client, "list_messages", phone_number=given)
    assert listing["summary"]["messages"] == 0
    assert listing["filters"]["phone_number"] == given
    assert len(desk.sent("GET")) == requests


@pytest.mark.parametrize("name", ["Harold Osei", "Quillmere", "maria", "R2"])
async def test_a_name_that_matches_nothing_is_said_to_be_no_filter_for_people(desk: Desk, era: Era, name: str) -> None:
    async with desk.client(era) as client:
        for arguments in ({}, {"date_from": "30d"}, {"date_from": "30d", "detail": "summary"}, {"page": 2}):
            listing = await call(client, "list_messages", phone_number=name, **arguments)
            assert listing["summary"]["messages"] == 0
            assert listing["next"].endswith(NO_PEOPLE)
    assert len(desk.sent("GET")) == 4


@pytest.mark.parametrize("name", ["Bartholomew Quillmere", "José", "O'Neil"])
async def test_a_name_that_no_sender_id_can_be_is_refused_with_the_way_to_find_people(desk: Desk, name: str) -> None:
    async with desk.client() as client:
        said = await refused(client, "list_messages", phone_number=name)
    assert NO_PEOPLE in said
    assert desk.emulator.requests == []


@pytest.mark.parametrize("found", ["BANKPL", "+16505550199"])
async def test_nothing_is_said_of_people_where_a_number_or_sender_id_is_meant(desk: Desk, found: str) -> None:
    desk.emulator.store.add(Draft(type="SMS", text="a code", sender=Party(phone_number="BANKPL")))
    async with desk.client() as client:
        assert NO_PEOPLE not in (await call(client, "list_messages", phone_number=found))["next"]


async def test_a_number_as_ringcentral_has_it_is_asked_for_once(desk: Desk) -> None:
    desk.emulator.store.add(Draft(type="SMS", text="hello", sender=Party(phone_number="+16505550118")))
    async with desk.client() as client:
        for given in ("+16505550118", "(+1) 650-555-0118", 16505550118):
            listing = await call(client, "list_messages", phone_number=given)
            assert listing["summary"]["messages"] == 1
            beyond = await call(client, "list_messages", phone_number=given, page=2)
            assert beyond["next"].startswith("Page 2 does not exist")
    assert len(desk.sent("GET")) == 6


async def test_a_later_page_of_a_number_in_another_spelling_is_found_too(desk: Desk) -> None:
    for n in range(3):
        desk.emulator.store.add(Draft(type="SMS", text=f"{n}", sender=Party(phone_number="+16505550118")))
    async with desk.client() as client:
        seen = [
            row["id"]
            for page in (1, 2, 3)
            for row in rows(
                (await call(client, "list_messages", phone_number="650-555-0118", per_page=1, page=page))["messages"]
            )
        ]
    assert seen == desk.ids()[:3]


NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("date_to", "end"),
    [
        ("2026-11-20", "2026-11-20T23:59:59-05:00"),
        ("20261120", "2026-11-20T23:59:59-05:00"),
        ("11-20", "2026-11-20T23:59:59-05:00"),
        ("2026-W47-5", "2026-11-20T23:59:59-05:00"),
        ("2026-W47", "2026-11-22T23:59:59-05:00"),
        ("2026-11-01", "2026-11-01T23:59:59-05:00"),
        ("2026-10-31", "2026-10-31T23:59:59-04:00"),
        ("2026-11-20T00:00", "2026-11-20T00:00:00-05:00"),
        ("2026-11-20T14:30:00Z", "2026-11-20T09:30:00-05:00"),
        ("11-20 14:30", "2026-11-20T14:30:00-05:00"),
    ],
)
@pytest.mark.parametrize("tool", ["list_messages", "sync_messages"])
async def test_a_date_as_the_end_of_a_read_includes_that_day_of_the_user(
    desk: Desk, tool: str, date_to: str, end: str
) -> None:
    desk.clock.time = datetime(2026, 11, 23, 12, tzinfo=UTC)
    async with desk.client(RC_MCP_TIMEZONE="America/New_York") as client:
        answer = await call(client, tool, date_from="2026-10-01", date_to=date_to)
    assert datetime.fromisoformat(answer["window"]["date_to"]) == datetime.fromisoformat(end)


async def test_messages_of_the_last_and_the_first_moment_of_a_day_are_listed_for_it(desk: Desk, era: Era) -> None:
    desk.clock.time = datetime(2026, 11, 23, 12, tzinfo=UTC)
    times = [
        datetime(2026, 11, 19, 23, 59, 59, tzinfo=NEW_YORK),
        datetime(2026, 11, 20, 0, 0, 0, tzinfo=NEW_YORK),
        datetime(2026, 11, 20, 23, 59, 59, tzinfo=NEW_YORK),
        datetime(2026, 11, 21, 0, 0, 0, tzinfo=NEW_YORK),
    ]
    ids = [str(desk.emulator.store.add(Draft(type="SMS", text="a", created=time))["id"]) for time in times]
    async with desk.client(era, RC_MCP_TIMEZONE="America/New_York") as client:
        listing = await call(client, "list_messages", date_from="2026-11-20", date_to="2026-11-20", message_type="SMS")
    found = {row["id"] for row in rows(listing["messages"])}
    assert found & {*ids} == {*ids[1:3]}


async def test_a_time_without_a_year_in_a_row_is_read_as_the_same_time_after_new_year(desk: Desk) -> None:
    desk.clock.time = datetime(2027, 1, 3, 12, tzinfo=UTC)
    times = [datetime(2026, 6, 1, 12, tzinfo=UTC), datetime(2026, 12, 28, 12, tzinfo=UTC)]
    for time in times:
        desk.emulator.store.add(Draft(type="SMS", text="a", sender=Party(phone_number="+16505550118"), created=time))
    async with desk.client(RC_MCP_TIMEZONE="America/New_York") as client:
        texts = {"phone_number": "+16505550118", "date_from": "2026-05-01"}
        shown = [row["at"] for row in rows((await call(client, "list_messages", **texts))["messages"])]
        assert shown == ["12-28 07:00", "2026-06-01 08:00"]
        for at, time in zip(shown, reversed(times), strict=True):
            window = (await call(client, "list_messages", date_from=at))["window"]
            assert datetime.fromisoformat(window["date_from"]) == time


async def test_a_date_of_a_delete_is_its_first_moment(desk: Desk) -> None:
    desk.clock.time = datetime(2026, 11, 23, 12, tzinfo=UTC)
    times = [datetime(2026, 11, 19, 23, 59, 59, tzinfo=NEW_YORK), datetime(2026, 11, 20, 12, tzinfo=NEW_YORK)]
    party = Party(phone_number="+16505550118")
    kept = [
        desk.emulator.store.add(Draft(type="SMS", text="a", sender=party, created=time, conversation="c"))
        for time in times
    ]
    async with desk.client(answer=YES, RC_MCP_TIMEZONE="America/New_York") as client:
        conversation = kept[0]["conversation"]["id"]
        await call(client, "delete_message_by_filter", conversation_id=conversation, date_to="2026-11-20")
    assert [desk.availability(str(m["id"])) for m in kept] == ["Deleted", "Alive"]


@pytest.mark.parametrize("tool", ["list_messages", "sync_messages"])
@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ({"owner": "Shared"}, True),
        ({"owner": ["Any"]}, True),
        ({"owner_extension_type": "Department"}, True),
        ({"owner": "Shared", "message_type": ["SMS", "Fax"]}, True),
        ({"owner": "Shared", "message_type": ["Fax"]}, False),
        ({"owner": "Personal"}, False),
        ({}, False),
    ],
)
async def test_an_answer_without_texts_of_a_queue_says_that_they_may_be_elsewhere(
    desk: Desk, tool: str, filters: dict[str, Any], said: bool
) -> None:
    page: dict[str, Any] = {
        "records": [],
        "paging": {},
        "navigation": {},
        "syncInfo": {"syncType": "FSync", "syncToken": "t"},
    }
    desk.faults.before(lambda request: httpx.Response(200, json=page) if "/message-s" in request.url.path else None)
    async with desk.client() as client:
        answer = await call(client, tool, **filters)
    assert (QUEUE_TEXTS in answer["next"]) is said
