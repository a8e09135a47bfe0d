"""Tests of every fault with each API operation: each call ends with a definite result, and no delete is sent twice.

The emulator's log of requests and its store prove which requests were carried out. Time is virtual; the retries are the
client's defaults.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from typing import Any, Literal, cast

import anyio
import httpx2 as httpx
import pytest

from rc_mcp.emulator import Draft, Emulator
from rc_mcp.emulator.service.faults import FaultOptions
from rc_mcp.ringcentral import (
    AnswerLost,
    APIError,
    Downloaded,
    GatewayAnswered,
    JWTAuth,
    MessageStoreClient,
    NotFound,
    Outcome,
    RateLimited,
    RingCentralError,
    StillProcessing,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
)
from tests.desk import Faults
from tests.ringcentral.under_budget import EPOCH, virtual_now
from tests.ringcentral.virtual_time import VirtualLoop

pytestmark = pytest.mark.anyio

LONG_AGO = EPOCH - timedelta(days=365)
NO_SUCH_ID = "12345"
PAGE = "<!DOCTYPE html><html><body>Blocked by the firewall</body></html>"
BULK = "application/vnd.ringcentral.multipart+json"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": VirtualLoop}


class FaultyTransport(Faults):
    """A transport to the emulator that can change the content type of every answer."""

    content_type: str | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        if self.content_type:
            answer.headers["Content-Type"] = self.content_type
        return answer


class Mailbox:
    """A mailbox with data for each operation, a client, and a transport between them that can fail."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.transport = FaultyTransport(emulator)
        self.left: list[str] = []
        self.transport.before(lambda request: self.left.append(f"{request.method} {request.url.path}"))
        self.text = self._added("SMS", conversation="the one to go")
        self.deleted = self._added("SMS", availability="Deleted")
        self.voicemail = self._added("VoiceMail", transcript="Please call back. " * 4)
        message = emulator.store.message(self.text)
        assert message is not None
        self.conversation = str(message["conversation"]["id"])
        auth = JWTAuth(
            emulator.server_url, emulator.client_id, emulator.client_secret, emulator.jwt, clock=anyio.current_time
        )
        self.store = MessageStoreClient(
            auth, server_url=emulator.server_url, media_url=emulator.media_url, transport=self.transport
        )

    def _added(self, kind: Literal["SMS", "VoiceMail"], **fields: Any) -> str:
        return str(self.emulator.store.add(Draft(type=kind, text="Hello" if kind == "SMS" else "", **fields))["id"])

    def stored(self, message_id: str, field: str) -> str:
        message = self.emulator.store.message(message_id)
        return message[field] if message else "gone"

    def sent(self) -> int:
        """Return how often the client sent the operation. Logins do not count."""
        return sum("oauth" not in line for line in self.left)

    def reached(self, method: str) -> list[int]:
        """Return the statuses of requests with this method that reached RingCentral; 0 if it sent no answer."""
        return [each.status for each in self.emulator.requests if each.method == method and "oauth" not in each.path]

    def logins(self) -> int:
        return sum("oauth" in line for line in self.left)


@dataclass(frozen=True)
class Operation:
    """One API operation. `done` returns whether the mailbox shows that it was carried out."""

    name: str
    kind: Literal["read", "update", "delete"]
    act: Callable[[Mailbox], Awaitable[object]]
    done: Callable[[Mailbox], bool] = lambda _: True
    with_a_failing_part: Callable[[Mailbox], Awaitable[list[Outcome]]] | None = None


async def transcript(box: Mailbox) -> Downloaded:
    message = box.emulator.store.message(box.voicemail)
    assert message is not None
    part = next(str(item["id"]) for item in message["attachments"] if item["type"] == "AudioTranscription")
    return await box.store.download(box.voicemail, part, BytesIO())


def retention(box: Mailbox) -> bool:
    return box.emulator.store.setting("retention_days", 30) == 60


OPERATIONS = [
    Operation("listMessages", "read", lambda box: box.store.list_messages(date_from=LONG_AGO)),
    Operation(
        "readMessage",
        "read",
        lambda box: box.store.read_message(box.text),
        with_a_failing_part=lambda box: box.store.read_messages([box.text, NO_SUCH_ID]),
    ),
    Operation("readMessageContent", "read", transcript),
    Operation("syncMessages", "read", lambda box: box.store.sync_messages(sync_type="FSync", date_from=LONG_AGO)),
    Operation("readMessageStoreConfiguration", "read", lambda box: box.store.read_message_store_configuration()),
    Operation(
        "updateMessage",
        "update",
        lambda box: box.store.update_message(box.text, "Read"),
        lambda box: box.stored(box.text, "readStatus") == "Read",
        lambda box: box.store.update_message([box.text, NO_SUCH_ID], "Read"),
    ),
    Operation(
        "patchMessage",
        "update",
        lambda box: box.store.patch_message(box.deleted, availability="Alive"),
        lambda box: box.stored(box.deleted, "availability") == "Alive",
        lambda box: box.store.patch_message([box.deleted, NO_SUCH_ID], availability="Alive"),
    ),
    Operation(
        "updateMessageStoreConfiguration",
        "update",
        lambda box: box.store.update_message_store_configuration(60),
        retention,
    ),
    Operation(
        "deleteMessage",
        "delete",
        lambda box: box.store.delete_message(box.text),
        lambda box: box.stored(box.text, "availability") == "Deleted",
        lambda box: box.store.delete_message([box.text, NO_SUCH_ID]),
    ),
    Operation(
        "deleteMessageByFilter",
        "delete",
        lambda box: box.store.delete_message_by_filter([box.conversation], date_to=virtual_now() + timedelta(hours=1)),
        lambda box: box.stored(box.text, "availability") == "Deleted",
    ),
]


@dataclass(frozen=True)
class Fault:
    """A fault and its allowed results.

    Attributes:
        strike: causes the fault in the operation's next requests, this number of times; None means for ever.
        error: the error that is raised or in the outcome if the fault lasts.
        passes: reads and updates are sent again.
        acted: RingCentral carried out the request before the fault.
        harmless: the request was certainly not carried out: a DELETE is sent again too.
        arrives: the request reached RingCentral.
        least_wait_s: the shortest wait before the request is sent again.
    """

    name: str
    strike: Callable[[Mailbox, Operation, int | None], object]
    error: type[RingCentralError]
    passes: bool = True
    acted: bool = False
    harmless: bool = False
    arrives: bool = True
    least_wait_s: float = 0.0


def by_emulator(kind: Any, **options: Any) -> Callable[[Mailbox, Operation, int | None], object]:
    def strike(box: Mailbox, operation: Operation, times: int | None) -> None:
        given: FaultOptions = {"operation": operation.name, "times": times, **options}  # pyright: ignore[reportAssignmentType]
        box.emulator.faults.inject(kind, **given)

    return strike


def by_transport(
    act: Callable[[httpx.Request], httpx.Response], *, after: bool = False
) -> Callable[[Mailbox, Operation, int | None], object]:
    """Let `act` answer or raise instead of RingCentral, before or after RingCentral has acted."""

    def strike(box: Mailbox, _: Operation, times: int | None) -> None:
        left = [times]

        def meet(request: httpx.Request) -> httpx.Response | None:
            if "oauth" in request.url.path or left[0] == 0:
                return None
            left[0] = left[0] and left[0] - 1
            return act(request)

        (box.transport.after if after else box.transport.before)(meet)

    return strike


def raising(kind: type[httpx.TransportError]) -> Callable[[httpx.Request], httpx.Response]:
    def fail(request: httpx.Request) -> httpx.Response:
        raise kind("broken", request=request)

    return fail


def answering(status: int, content: str = "", **headers: str) -> Callable[[httpx.Request], httpx.Response]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: httpx.Response(status, content=content, headers=named)


def five_hundred(status: int) -> Fault:
    name = "500 CMN-201" if status == 500 else str(status)
    return Fault(name, by_emulator("server_error", status=status, acted=True), Unavailable, acted=True)


PASSING = [
    Fault("refused", by_transport(raising(httpx.ConnectError)), Unreachable, harmless=True, arrives=False),
    Fault("reset before", by_emulator("drop"), AnswerLost),
    Fault("reset after it acted", by_emulator("drop", acted=True), AnswerLost, acted=True),
    Fault("timeout", by_transport(raising(httpx.ReadTimeout), after=True), AnswerLost, acted=True),
    Fault("429 Retry-After", by_emulator("rate_limit"), RateLimited, harmless=True, least_wait_s=60),
    Fault("429", by_transport(answering(429)), RateLimited, harmless=True, arrives=False, least_wait_s=60),
    Fault("429 CMN-304", by_transport(answering(429, '{"errorCode":"CMN-304"}')), StillProcessing, arrives=False),
    *map(five_hundred, (500, 502, 503, 504)),
    Fault("cut off", by_emulator("truncate"), AnswerLost, acted=True),
]
FINAL = [
    Fault("gateway before", by_emulator("gateway"), GatewayAnswered, passes=False),
    Fault("gateway after it acted", by_emulator("gateway", acted=True), GatewayAnswered, passes=False, acted=True),
    Fault("truncated JSON", by_emulator("malformed"), UnexpectedAnswer, passes=False, acted=True),
    Fault("HTML 200", by_emulator("malformed", body="html"), UnexpectedAnswer, passes=False, acted=True),
    Fault(
        "HTML 403",
        by_transport(answering(403, PAGE, content_type="text/html")),
        UnexpectedAnswer,
        passes=False,
        arrives=False,
    ),
    Fault(
        "wrong content type",
        by_transport(answering(200, "OK", content_type="text/plain"), after=True),
        UnexpectedAnswer,
        passes=False,
        acted=True,
    ),
]


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    with Emulator(scenario="empty", rate_limits=False, now=virtual_now) as emulator:
        made = Mailbox(emulator)
        async with made.store:
            await made.store.list_messages(per_page=1)
            made.left.clear()
            emulator.app.requests.clear()
            yield made


def each(all_faults: list[Fault]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("fault", all_faults, ids=lambda fault: fault.name)


every_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)


async def result_of(operation: Operation, box: Mailbox) -> tuple[object, RingCentralError | None, bool]:
    """Return the value, the error, and whether the result is unknown."""
    try:
        value = await operation.act(box)
    except RingCentralError as error:
        return None, error, Outcome("1", error=error).unknown
    if isinstance(value, list):
        (outcome,) = cast("list[Outcome]", value)
        return outcome, outcome.error, outcome.unknown
    return value, None, False


def accepts_any_content(operation: Operation, fault: Fault) -> bool:
    """Return whether the client accepts the faulty answer: an attachment can be of any type, even a web page."""
    return operation.name == "readMessageContent" and fault.name in {
        "truncated JSON",
        "HTML 200",
        "wrong content type",
    }


def has_no_body_to_cut(operation: Operation, fault: Fault) -> bool:
    """Return whether there is no body to cut off: a delete's 204 has none."""
    return operation.kind == "delete" and fault.name == "cut off"


@each([*PASSING, *FINAL])
@every_operation
async def test_a_single_fault(fault: Fault, operation: Operation, box: Mailbox) -> None:
    fault.strike(box, operation, 1)
    began = anyio.current_time()
    value, error, unknown = await result_of(operation, box)
    took_s = anyio.current_time() - began
    if accepts_any_content(operation, fault):
        assert isinstance(value, Downloaded)
        assert value.content_type in {"application/json", "text/html", "text/plain"}
        assert box.sent() == 1
    elif operation.kind == "delete":
        check_delete(fault, operation, box, error, unknown)
    elif fault.passes:
        assert (error, unknown) == (None, False)
        assert box.sent() == 2
        assert operation.done(box)
        assert fault.least_wait_s <= took_s <= fault.least_wait_s + 5
    else:
        assert type(error) is fault.error
        assert unknown
        assert box.sent() == 1
        assert operation.done(box) == (fault.acted or operation.kind == "read")
    assert box.logins() == 0


def check_delete(
    fault: Fault, operation: Operation, box: Mailbox, error: RingCentralError | None, unknown: bool
) -> None:
    expected = None if fault.harmless or has_no_body_to_cut(operation, fault) else fault.error
    assert type(error) is (expected or type(None))
    assert unknown == (expected is not None)
    # RingCentral's own count: at most one request got through its rate limit.
    let_through = [status for status in box.reached("DELETE") if status != 429]
    assert len(let_through) == (1 if fault.arrives or expected is None else 0)
    assert operation.done(box) == (fault.acted or expected is None)
    assert box.stored(box.text, "availability") != "Purged"


@each([*PASSING, *FINAL])
@every_operation
async def test_a_lasting_fault(fault: Fault, operation: Operation, box: Mailbox) -> None:
    fault.strike(box, operation, None)
    began = anyio.current_time()
    value, error, unknown = await result_of(operation, box)
    took_s = anyio.current_time() - began
    if accepts_any_content(operation, fault):
        assert isinstance(value, Downloaded)
    elif has_no_body_to_cut(operation, fault):
        assert error is None
    else:
        assert type(error) is fault.error
        assert unknown == (not fault.harmless)
    may_repeat = fault.passes and (operation.kind != "delete" or fault.harmless)
    # A download resumes five times after a broken connection, each time with its own request.
    assert box.sent() <= (6 if operation.name == "readMessageContent" and fault.name == "cut off" else 4)
    assert box.sent() > 1 if may_repeat else box.sent() == 1
    assert took_s <= 150
    if operation.kind == "delete":
        assert len([status for status in box.reached("DELETE") if status != 429]) == int(
            fault.arrives and fault.error is not RateLimited
        )
        assert operation.done(box) == fault.acted
        assert box.stored(box.text, "availability") != "Purged"


@every_operation
async def test_a_token_revoked_before_the_request(operation: Operation, box: Mailbox) -> None:
    box.emulator.faults.inject("token_revoked", operation=operation.name)  # pyright: ignore[reportArgumentType]
    _, error, unknown = await result_of(operation, box)
    if operation.kind == "delete":
        assert type(error) is Unauthorized
        assert unknown
        assert (box.reached("DELETE"), box.logins()) == ([401], 0)
        assert not operation.done(box)
        _, error, _ = await result_of(operation, box)
        assert box.reached("DELETE") == [401, 204]
    assert error is None
    assert operation.done(box)
    assert (box.sent(), box.logins()) == (2, 1)


@every_operation
async def test_a_207_with_a_failed_part(operation: Operation, box: Mailbox) -> None:
    if operation.with_a_failing_part:
        good, bad = await operation.with_a_failing_part(box)
        assert (good.ok, good.unknown, bad.unknown) == (True, False, False)
        assert type(bad.error) is NotFound
        assert operation.done(box)
    else:
        # Of these operations only a delete of conversations can be answered with a 207.
        part = {"resourceId": box.conversation, "status": 404, "body": {"errorCode": "CMN-102", "message": "None"}}
        answer = httpx.Response(207, json=[part], headers={"Content-Type": BULK})
        by_transport(lambda _: answer)(box, operation, None)
        _, error, unknown = await result_of(operation, box)
        assert type(error) is (APIError if operation.kind == "delete" else UnexpectedAnswer)
        assert unknown == (operation.kind != "delete")
    assert box.sent() == 1
    assert len(box.reached("DELETE")) <= 1


@every_operation
async def test_a_valid_answer_with_a_wrong_content_type_is_accepted(operation: Operation, box: Mailbox) -> None:
    box.transport.content_type = "text/html"
    _, error, unknown = await result_of(operation, box)
    assert (error, unknown, box.sent()) == (None, False, 1)
    assert operation.done(box)
