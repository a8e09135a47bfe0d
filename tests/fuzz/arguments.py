"""Arguments for any tool, made from its published schema: right ones that find something, and wrong ones."""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from mcp.types import Tool

from rc_mcp.emulator import Emulator

LAST_PLAN, LAST_SYNC_TOKEN = "the plan of an earlier answer", "the token of an earlier answer"
"""A placeholder for a value from an earlier answer."""

Arguments = dict[str, Any]

SCALARS: SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30)
)
JSON: SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
FROM = ["24h", "7d", "3w", "60d", "2026-11-01T00:00:00Z"]
UNTIL = ["1h", "2026-11-20T00:00:00Z", "9999-12-31T23:59:59Z"]
NUMBERS = ["+16505550100", "+13605550108", "105", "(650) 555-0100"]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool."""

    tool: str
    arguments: Arguments


def calls(tools: list[Tool], emulator: Emulator) -> SearchStrategy[Call]:
    """Calls of these tools on this mailbox."""
    known = values_that_exist(emulator)
    return st.sampled_from(tools).flatmap(
        lambda tool: arguments(tool.input_schema, known).map(lambda given: Call(tool.name, given))
    )


def values_that_exist(emulator: Emulator) -> dict[str, list[str]]:
    """By name of a parameter: what finds something in this mailbox."""
    records = emulator.store.messages()
    attachments = [str(item["id"]) for record in records for item in record["attachments"]]
    conversations = [str(record["conversationId"]) for record in records if "conversationId" in record]
    return {
        "message_id": [str(record["id"]) for record in records],
        "attachment_id": attachments,
        "conversation_id": conversations or ["1"],
        "date_from": FROM,
        "date_to": UNTIL,
        "phone_number": NUMBERS,
        "owner": ["Any", "Personal", "Shared", emulator.extension_id],
        "account_id": ["~", emulator.account_id],
        "extension_id": ["~", emulator.extension_id],
        "owner_extension_type": ["User", "Department"],
        "voicemail_owner": [emulator.extension_id],
        "plan_id": [LAST_PLAN],
        "sync_token": [LAST_SYNC_TOKEN],
        "pages": ["1", "1-2", "1,1"],
    }


def arguments(schema: dict[str, Any], known: dict[str, list[str]]) -> SearchStrategy[Arguments]:
    """Arguments that mostly fit the schema; sometimes something is missing, mistyped, out of bounds or unknown."""
    required = set(schema.get("required", []))
    properties = {name: value(name, property_, known) for name, property_ in schema["properties"].items()}
    right = st.fixed_dictionaries(
        {name: made for name, made in properties.items() if name in required},
        optional={name: made for name, made in properties.items() if name not in required},
    )
    return st.one_of(right, right, right, wrong(right, list(properties)))


@st.composite
def wrong(draw: st.DrawFn, right: SearchStrategy[Arguments], names: list[str]) -> Arguments:
    """Arguments with one thing left out, or changed into anything at all."""
    given = draw(right)
    if draw(st.booleans()):
        return given | {draw(st.sampled_from(names) | st.text(max_size=20)): draw(JSON)}
    left_out = draw(st.sampled_from(names))
    return {name: made for name, made in given.items() if name != left_out}


def value(name: str, schema: dict[str, Any], known: dict[str, list[str]]) -> SearchStrategy[Any]:
    """What this property's schema allows."""
    if "anyOf" in schema:
        return st.one_of(*(value(name, arm, known) for arm in schema["anyOf"]))
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(schema["minimum"], schema["maximum"]) | st.sampled_from([1, 7])
        case "array":
            inner = value(name, schema["items"], known)
            return st.lists(inner, min_size=schema.get("minItems", 0), max_size=min(schema.get("maxItems", 5), 5))
        case _:
            free = st.text(min_size=schema.get("minLength", 0), max_size=min(schema.get("maxLength", 30), 30))
            exists = st.sampled_from(known.get(name, ["x"]))
            return st.integers(0, 30).flatmap(lambda dice: exists if dice else free)
