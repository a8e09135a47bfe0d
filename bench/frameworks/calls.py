"""The calls that each framework makes, and how a strict schema makes a model fill one."""

import re
from dataclasses import dataclass
from typing import Any

from rc_mcp.emulator import Emulator
from tests.suites.calls import calls_of_every_tool

Arguments = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls with something to find in the demo's mailbox, which has the same ids each time."""

    reads: dict[str, tuple[str, Arguments]]
    """By what is read: the tool and its arguments."""
    every_tool: dict[str, Arguments]
    """A call of each tool with all optional arguments left out that it can do without."""
    deletable: list[str]
    """Texts that no other call names."""


def calls() -> Calls:
    """Choose the calls from the records of a new demo."""
    with Emulator() as emulator:
        records = emulator.store.messages()
    every_tool = {tool: given[0] for tool, given in calls_of_every_tool(records).items()}
    del every_tool["read_message_content"]["attachment_id"]  # it is optional
    alive = [record for record in records if record["availability"] == "Alive"]

    def first(kind: str, content_type: str) -> str:
        """Return the newest message of a type whose last attachment has this content type."""
        found = [r for r in alive if r["type"] == kind and r["attachments"][-1]["contentType"] == content_type]
        return str(found[0]["id"])

    content = "read_message_content"
    voicemail = {"message_id": first("VoiceMail", "text/plain")}
    reads = {
        "list": ("list_messages", {"date_from": "30d"}),
        "fax": (content, {"message_id": first("Fax", "application/pdf")}),
        "page": (content, {"message_id": first("Fax", "application/pdf"), "form": "pages"}),
        "voicemail": (content, voicemail),
        "original": (content, voicemail | {"form": "original"}),
        "error": (content, {"message_id": "111"}),
    }
    taken = str(every_tool)
    texts = [str(record["id"]) for record in alive if record["type"] == "SMS"]
    return Calls(reads, every_tool, [text for text in texts if text not in taken][-3:])


class Invented(Exception):  # noqa: N818  it is what a model would have to do
    """A schema leaves a model no way to say that an optional argument is not given."""


def filled(schema: dict[str, Any], published: dict[str, Any], given: Arguments) -> Arguments:
    """Return the arguments as a strict schema makes a model fill them: every property, the optional ones empty.

    `published` is the server's own schema: its defaults are no invention. Raises Invented with the arguments for which
    the framework's schema allows neither null nor an empty text or list.
    """
    optional = {name: one for name, one in schema["properties"].items() if name not in given}
    defaults = {name: one.get("default") for name, one in published["properties"].items()}
    empty = {name: emptied(one, defaults.get(name)) for name, one in optional.items()}
    if invented := [name for name, value in empty.items() if value is INVENTED]:
        raise Invented(", ".join(invented))
    return given | empty


INVENTED = object()


def emptied(schema: dict[str, Any], default: Any) -> Any:
    """Return null where the schema allows it, else an empty text or list, else the default, else INVENTED."""
    kinds = _kinds(schema)
    parts: list[dict[str, Any]] = [schema, *(schema.get("anyOf") or [])]
    chosen = any("enum" in part or "const" in part for part in parts)
    if "null" in kinds or schema.get("nullable") or not (kinds or chosen or "anyOf" in schema):
        return None
    if "array" in kinds:
        return []
    if "string" in kinds and not chosen:
        return ""
    return INVENTED if default is None else default


def _kinds(schema: dict[str, Any]) -> set[str]:
    """Return the types that a schema allows: both by its `type` and by its `anyOf`, where it has both."""
    kind: str | list[str] = schema.get("type") or []
    # Gemini writes types in capitals.
    own = {one.lower() for one in ([kind] if isinstance(kind, str) else kind)}
    parts: list[dict[str, Any]] = schema.get("anyOf") or []
    any_of = {one for part in parts for one in _kinds(part)}
    return own & any_of if own and any_of else own | any_of


_VARYING = [
    r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)?",
    r"(?:\d\d-\d\d )?\d\d:\d\d(?::\d\d)?",
    r"(?:plan_id|sync_token|request id)\W+[\w=+/.-]+",
    r"RC_MCP_STATE_DIR=\S+",
    r"approvals approve [\w-]+",
]


def letters(text: str) -> str:
    """Return the letters and digits of a text: the same in JSON, in JSON within JSON, and as Python writes it."""
    return re.sub(r"\\u[0-9a-f]{4}|[^A-Za-z0-9]", "", text)


def settled(text: str) -> str:
    """Return an answer without what differs between two runs: moments, plans and tokens."""
    return letters(re.sub("|".join(_VARYING), "", text))


def base64_in(text: str) -> int:
    """Return how many characters of a text are base64."""
    return sum(map(len, re.findall(r"[A-Za-z0-9+/=]{200,}", text)))


def plan_in(text: str) -> str:
    """Return the plan that an answer of a delete names; empty if it names none."""
    found = re.search(r"plan_id\W+([\w-]{6,})", text)
    return found[1] if found else ""
