"""Sends requests for many ids in chunks, and turns each answer into one outcome per id."""

import re
from collections.abc import Awaitable, Callable, Sequence

from rc_mcp.ringcentral.calls import Call
from rc_mcp.ringcentral.errors import (
    Forbidden,
    NotSent,
    RateLimited,
    RingCentralError,
    Unauthorized,
    UnexpectedAnswer,
)
from rc_mcp.ringcentral.models import Message
from rc_mcp.ringcentral.multistatus import Part, parts
from rc_mcp.ringcentral.outcomes import Outcome
from rc_mcp.ringcentral.transport.responses import CompleteResponse, parsed, refusal

_NOTHING_HAPPENED = (Unauthorized, Forbidden, RateLimited, NotSent)


async def in_chunks(
    ids: Sequence[str], size: int, send: Callable[[Sequence[str]], Awaitable[list[Outcome]]]
) -> list[Outcome]:
    """Send `ids` in chunks of `size`, one after the other, and stop after the first chunk that failed as a whole.

    The next chunk would probably fail too, or the result of this one is unknown. For the same reasons it stops after a
    part that was rate limited or is unknown. The remaining ids get `NotSent`.

    Raises:
        Unauthorized, Forbidden, RateLimited, NotSent: only on the first chunk, when no change has been made (a 401 to a
            DELETE does not prove that). On later chunks they become outcomes.
    """
    outcomes: list[Outcome] = []
    while len(outcomes) < len(ids):
        chunk = ids[len(outcomes) : len(outcomes) + size]
        try:
            got = await send(chunk)
        except RingCentralError as error:
            if not outcomes and isinstance(error, _NOTHING_HAPPENED):
                raise
            outcomes += [Outcome.failed(id_, error) for id_ in chunk]
            break
        outcomes += got
        if any(outcome.unknown or isinstance(outcome.error, RateLimited) for outcome in got):
            break
    held_back = NotSent("It was not sent because an earlier part of the same request failed or has an unknown result")
    return [*outcomes, *(Outcome(id_, error=held_back) for id_ in ids[len(outcomes) :])]


def outcomes_of(call: Call, ids: Sequence[str], answer: CompleteResponse) -> list[Outcome]:
    """Return the outcome of each of `ids` from a successful answer.

    Parts are matched by `resourceId`, or by position if no part has one and the ids were in the URL. Parts for other
    ids are ignored. An id without a part, or with parts of different statuses, is unknown, never a success.

    Raises:
        UnexpectedAnswer: the answer has no form that the API documents for `call`, or is too large to parse.
    """
    if answer.status == 204 and call.method == "DELETE":
        return [Outcome(id_, status=204) for id_ in ids]
    listed = parts(answer.headers.get("content-type", ""), answer.body)
    if listed is None and answer.status == 200 and call.method != "DELETE" and len(ids) == 1:
        listed = [Part(None, 200, parsed(answer.body))]
    if listed is None:
        text = f"RingCentral's {answer.status} to {call.method} {call.path[:120]} does not state what happened"
        raise UnexpectedAnswer(text, status=answer.status)
    in_place = _matched(call, ids, listed)
    return [_outcome(call, id_, part, answer) for id_, part in zip(ids, in_place, strict=True)]


def _matched(call: Call, ids: Sequence[str], listed: Sequence[Part | None]) -> list[Part | None]:
    named: dict[int | None, Part | None] = {}
    for part in listed:
        if part and part.resource_id:
            other = named.setdefault(_number(part.resource_id), part)
            if other is None or other.status != part.status:
                named[_number(part.resource_id)] = None
    if named:
        return [named.get(int(id_)) for id_ in ids]
    in_order = len(listed) == len(ids) and not call.path.endswith("/*")
    return list(listed) if in_order else [None] * len(ids)


def _outcome(call: Call, id_: str, part: Part | None, answer: CompleteResponse) -> Outcome:
    if part is None:
        return Outcome(id_, error=UnexpectedAnswer(f"RingCentral's answer has no clear result for {id_}"))
    if not 200 <= part.status < 300:
        error = refusal(part.status, part.body, answer.headers, method=call.method, path=call.path, in_207=True)
        return Outcome(id_, part.status, error=error)
    message = None if call.method == "DELETE" else Message.read(part.body)
    if call.method != "DELETE" and (message is None or _number(message.id) != int(id_)):
        error = UnexpectedAnswer(f"RingCentral's answer for {id_} does not contain that message", status=part.status)
        return Outcome(id_, part.status, error=error)
    return Outcome(id_, part.status, message)


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch("[0-9]{1,20}", text) else None
