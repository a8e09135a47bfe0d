"""The emulator compared with RingCentral's own specification, if the specification is available.

Each request and answer is checked: names, types, formats, enumerated values, statuses and media types. An answer may
contain nothing that the specification does not have, apart from the exceptions listed below with their sources.
"""

import json
import re
from collections.abc import AsyncGenerator, Generator
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx2 as httpx
import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker

from rc_mcp.emulator import Draft, Emulator, Party
from tests.emulator.conftest import mailbox_of

SPECIFICATION = Path(__file__).parents[3] / "shared/reference/message-store.openapi.yaml"
MULTIPART_JSON = "application/vnd.ringcentral.multipart+json"

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        not SPECIFICATION.exists(),
        reason=f"RingCentral's specification is not at {SPECIFICATION}; its license keeps it out of this repository",
    ),
]

Json = dict[str, Any]

# Answers documented elsewhere. Errors are not listed, because they all have the same form.
ALSO_ANSWERED = {
    # Bulk deletes: "204 if all parts succeed, 207 if at least one fails" (developer guide, batch requests).
    "deleteMessage 207 application/vnd.ringcentral.multipart+json",
    # Ranges (developer guide, and 416 in RingCentral's error tables).
    "readMessageContent 206 audio/*",
    # Texts and transcripts are attachments of this type (RingCentral's own web client).
    "readMessageContent 200 text/plain",
}
# Documented but not emulated: no message here has a video.
NOT_EMULATED = {"readMessageContent 200 video/*"}


class Operation(NamedTuple):
    id: str
    parameters: dict[str, Json]
    bodies: dict[str, Json]
    answers: dict[str, dict[str, Json]]
    """By status and media type."""


@cache
def specification() -> Json:
    return yaml.safe_load(SPECIFICATION.read_text("utf-8"))


def operations() -> Generator[tuple[str, str, Operation]]:
    for path, methods in specification()["paths"].items():
        for method, described in methods.items():
            if method != "parameters":
                yield method.upper(), path, operation(described, methods.get("parameters", []))


def operation(described: Json, shared: list[Json]) -> Operation:
    parameters = [resolved(each) for each in [*shared, *described.get("parameters", [])]]
    return Operation(
        described["operationId"],
        {each["name"]: each for each in parameters if each["in"] == "query"},
        described.get("requestBody", {}).get("content", {}),
        {status: resolved(answer).get("content", {}) for status, answer in described["responses"].items()},
    )


def documented() -> set[str]:
    """Return all that the specification documents, in the format of `Observer.covered`."""
    found: set[str] = set()
    for _, _, each in operations():
        found |= {f"{each.id} ?{name}" for name in each.parameters}
        found |= {f"{each.id} takes {media_type}" for media_type in each.bodies}
        for status, content in each.answers.items():
            found |= {f"{each.id} {status} {media_type}" for media_type in content or [""]}
    return found


class Observer:
    """A check of every exchange of a client, with a record of the documented forms that occurred."""

    def __init__(self) -> None:
        self.covered: set[str] = set()

    async def exchange(self, answer: httpx.Response) -> None:
        request = answer.request
        if request.url.path.startswith("/restapi/oauth/"):
            return
        asked = next(each for method, path, each in operations() if method == request.method and fits(path, request))
        self._query(asked, request)
        self._body(asked, request)
        await answer.aread()
        if answer.status_code >= 400:
            self._error(asked, answer)
        else:
            self._answer(asked, answer)

    def _query(self, asked: Operation, request: httpx.Request) -> None:
        for name in request.url.params:
            schema = resolved(asked.parameters[name]["schema"])
            check(closed(schema), as_json(schema, request.url.params.get_list(name)))
            self.covered.add(f"{asked.id} ?{name}")

    def _body(self, asked: Operation, request: httpx.Request) -> None:
        if request.content:
            media_type = media_type_of(request.headers)
            if media_type.endswith("json"):
                check(closed(asked.bodies[media_type]["schema"]), json.loads(request.content))
            self.covered.add(f"{asked.id} takes {media_type}")

    def _answer(self, asked: Operation, answer: httpx.Response) -> None:
        media_type = media_type_of(answer.headers) if answer.content else ""
        got = f"{asked.id} {answer.status_code} {media_type}"
        known = next((form for form in documented() | ALSO_ANSWERED if fnmatch(got, form)), None)
        assert known, f"{got} is not documented"
        self.covered.add(known)
        if media_type.endswith("json"):
            body = answer.json()
            if answer.status_code == 207:
                failed = [part for part in body if part["status"] >= 400]
                body = [part for part in body if part not in failed]
                for part in failed:
                    assert part.keys() == {"resourceId", "status", "body"}
                    check_error(part["body"])
            if known not in ALSO_ANSWERED:
                check(closed(asked.answers[str(answer.status_code)][media_type]["schema"]), body)

    def _error(self, asked: Operation, answer: httpx.Response) -> None:
        check_error(answer.json())
        self.covered.add(f"{asked.id} {answer.status_code} {media_type_of(answer.headers)}")


def check_error(body: Json) -> None:
    """Check an error, whose first entry of `errors` is repeated at the top level, with a code that may differ.

    The specification has only `errors`. The repetition was observed live, and in RingCentral's own code.
    """
    check(closed({"$ref": "#/components/schemas/ApiErrorResponseModel"})["properties"]["errors"], body["errors"])
    first = body["errors"][0]
    assert body == {**first, "errorCode": body["errorCode"], "errors": body["errors"]}


def fits(path: str, request: httpx.Request) -> bool:
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), request.url.path) is not None


def media_type_of(headers: httpx.Headers) -> str:
    return headers.get("content-type", "").partition(";")[0]


def as_json(schema: Json, values: list[str]) -> Any:
    """Convert the values of a query parameter to the type in the schema."""
    kind = schema.get("type")
    if kind == "array" or len(values) > 1:
        return values
    return json.loads(values[0]) if kind in {"boolean", "integer"} else values[0]


# Schemas


def resolved(schema: Json) -> Json:
    if "$ref" not in schema:
        return schema
    found = specification()
    for key in schema["$ref"].removeprefix("#/").split("/"):
        found = found[key]
    return found


def closed(schema: Json) -> Json:
    """Return the schema with unnamed properties forbidden, at every level."""
    schema = opened(schema)
    return {**schema, "unevaluatedProperties": False} if schema.keys() & {"properties", "allOf"} else schema


def opened(schema: Json) -> Json:
    """Return the schema closed below its top level, so that it can be one of several that describe an object."""
    schema = dict(resolved(schema))
    if schema.get("required") == ["vmSideRecipients"]:
        # Required in every message that is read by id, although only voicemails can have it.
        voicemail = {"properties": {"type": {"const": "VoiceMail"}}}
        schema |= {"required": [], "if": voicemail, "then": {"required": ["vmSideRecipients"]}}
    for keyword in ("allOf", "oneOf"):
        if keyword in schema:
            schema[keyword] = [opened(each) for each in schema[keyword]]
    if "items" in schema:
        schema["items"] = closed(schema["items"])
    if "properties" in schema:
        schema["properties"] = {name: closed(each) for name, each in schema["properties"].items()}
    return schema


FORMATS = FormatChecker(formats=())


@FORMATS.checks("date-time", raises=ValueError)
def is_date_time(value: object) -> bool:
    return datetime.fromisoformat(str(value)).tzinfo is not None


@FORMATS.checks("uri")
def is_uri(value: object) -> bool:
    return bool(urlsplit(str(value)).scheme and urlsplit(str(value)).netloc)


@FORMATS.checks("int32")
def is_int32(value: object) -> bool:
    return isinstance(value, int) and -(2**31) <= value < 2**31


@FORMATS.checks("int64")
def is_int64(value: object) -> bool:
    return isinstance(value, int) and -(2**63) <= value < 2**63


def check(schema: Json, value: object) -> None:
    validator: Any = Draft202012Validator(schema, format_checker=FORMATS)
    validator.validate(value)


# The calls


@pytest.fixture
def observer() -> Observer:
    return Observer()


class Mailbox(NamedTuple):
    emulator: Emulator
    client: httpx.AsyncClient

    def ids(self, **fields: str) -> list[str]:
        """Return the ids of messages with these field values, newest first."""
        records = self.emulator.store.messages()
        return [str(record["id"]) for record in records if fields.items() <= record.items()]

    def attachments(self) -> list[Json]:
        return [item for record in self.emulator.store.messages() for item in record["attachments"]]


@pytest.fixture
async def mailbox(observer: Observer) -> AsyncGenerator[Mailbox]:
    """Yield the office with 100 more messages, and a client whose every exchange is checked."""
    with Emulator(messages=100, rate_limits=False) as emulator:
        async with mailbox_of(emulator) as client:
            client.event_hooks = {"response": [observer.exchange]}
            yield Mailbox(emulator, client)


SINCE = f"{datetime.now(UTC) - timedelta(days=60):%Y-%m-%dT%H:%M:%SZ}"
FILTERS = f"dateFrom={SINCE}&dateTo=2099-01-01T00:00:00.000Z&direction=Inbound&direction=Outbound&owner=Personal"
SHARED = "voicemailOwner=Any&voicemailOwner=Personal&ownerExtensionType=User&ownerExtensionType=Site"


async def listing(mailbox: Mailbox) -> None:
    everything = f"{FILTERS}&availability=Alive&availability=Deleted&availability=Purged&perPage=1000"
    assert (await mailbox.client.get(f"message-store?{everything}")).json()["records"]
    types = "messageType=SMS&messageType=Pager&messageType=Fax&messageType=VoiceMail&readStatus=Unread"
    await mailbox.client.get(f"message-store?{types}&perPage=2&page=2&{SHARED}")
    await mailbox.client.get("message-store?distinctConversations=true&conversationId=1&phoneNumber=%2B15035550134")
    await mailbox.client.get("message-store?perPage=0&owner=Shared&availability=Deleted")


async def reading(mailbox: Mailbox) -> None:
    for message_id in mailbox.ids():
        await mailbox.client.get(f"message-store/{message_id}")
    some = ",".join([*mailbox.ids(type="VoiceMail")[:2], "111", *mailbox.ids(type="SMS")[:1]])
    await mailbox.client.get(f"message-store/{some}")
    await mailbox.client.get(f"message-store/{some}", headers={"Accept": MULTIPART_JSON})


async def changing(mailbox: Mailbox) -> None:
    some = mailbox.ids(availability="Alive")[:2]
    path, both = f"message-store/{some[0]}", f"message-store/{','.join(some)}"
    read, alive = {"readStatus": "Read"}, {"availability": "Alive", "readStatus": "Unread"}
    for send, change in ((mailbox.client.put, read), (mailbox.client.patch, alive)):
        assert (await send(path, json=change)).status_code == 200
        for target, ids in ((both, some), ("message-store/*", [*some, "111"])):
            body = json.dumps([{"resourceId": each, "body": change} for each in ids])
            headers = {"Content-Type": MULTIPART_JSON, "Accept": MULTIPART_JSON}
            assert (await send(target, content=body, headers=headers)).status_code == 207
        parts = "".join(f"--x\r\nContent-Type: application/json\r\n\r\n{json.dumps(change)}\r\n" for _ in some)
        headers = {"Content-Type": "multipart/mixed; boundary=x"}
        assert (await send(both, content=f"{parts}--x--\r\n", headers=headers)).status_code == 207
    await mailbox.client.patch("message-store/111", json=alive)


async def content(mailbox: Mailbox) -> None:
    for attachment in mailbox.attachments():
        await mailbox.client.get(attachment["uri"])
    uri = next(item["uri"] for item in mailbox.attachments() if item["type"] == "AudioRecording")
    await mailbox.client.get(f"{uri}?contentDisposition=Attachment&contentDispositionFilename=note.mp3")
    await mailbox.client.get(uri, headers={"Range": "bytes=0-9"})
    await mailbox.client.get(f"{uri}1")


async def syncing(mailbox: Mailbox) -> None:
    full = await mailbox.client.get(f"message-sync?syncType=FSync&recordCount=250&{FILTERS}")
    assert full.json()["records"]
    more = "messageType=SMS&messageType=Fax&conversationId=1&distinctConversations=false&voicemailOwner=Any"
    await mailbox.client.get(f"message-sync?syncType=FSync&{more}&ownerExtensionType=User")
    await mailbox.client.delete(f"message-store/{mailbox.ids(availability='Alive')[0]}")
    mailbox.emulator.store.add(Draft(type="SMS", sender=Party(phone_number="+15035550111"), text="Hello"))
    token = full.json()["syncInfo"]["syncToken"]
    changed = await mailbox.client.get("message-sync", params={"syncType": "ISync", "syncToken": token})
    assert {record["availability"] for record in changed.json()["records"]} == {"Alive", "Deleted"}
    await mailbox.client.get("message-sync", params={"syncType": "ISync", "syncToken": "wrong"})


async def deleting(mailbox: Mailbox) -> None:
    some = mailbox.ids(availability="Alive")[:3]
    assert (await mailbox.client.delete(f"message-store/{some[0]}?purge=false&type=All")).status_code == 204
    headers = {"Content-Type": "application/json", "Accept": MULTIPART_JSON}
    body = json.dumps([*some[1:], "111"])
    answer = await mailbox.client.request("DELETE", "message-store/*", content=body, headers=headers)
    assert answer.status_code == 207
    await mailbox.client.delete("message-store/111")


async def deleting_by_filter(mailbox: Mailbox) -> None:
    query = f"conversationId=1&conversationId=2&dateTo={SINCE}&type=Text&purge=true&owner=Any"
    assert (await mailbox.client.delete(f"message-store?{query}")).status_code == 204


async def configuring(mailbox: Mailbox) -> None:
    url = f"{mailbox.emulator.server_url}/restapi/v1.0/account/~/message-store-configuration"
    assert (await mailbox.client.get(url)).status_code == 200
    assert (await mailbox.client.put(url, json={"retentionPeriod": 90})).status_code == 200


async def test_every_operation_covers_its_documentation_and_nothing_else(mailbox: Mailbox, observer: Observer) -> None:
    for act in (listing, reading, changing, content, syncing, deleting, deleting_by_filter, configuring):
        await act(mailbox)
    assert sorted(documented() - observer.covered) == sorted(NOT_EMULATED)
    assert observer.covered >= ALSO_ANSWERED
    assert len({each.id for _, _, each in operations()}) == 10


async def test_a_message_in_any_state_is_as_documented(mailbox: Mailbox, observer: Observer) -> None:
    """The office has every type, direction and status. This test deletes and purges each of them."""
    for state in ("Deleted", "Purged"):
        for message_id in mailbox.ids():
            await mailbox.client.delete(f"message-store/{message_id}")
            await mailbox.client.get(f"message-store/{message_id}")
        assert state in {record["availability"] for record in mailbox.emulator.store.messages()}
    await listing(mailbox)
    assert observer.covered
