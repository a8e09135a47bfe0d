"""The operations of the page, by name. Both doors call them, with JSON objects in and out."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from anyio import move_on_after
from pydantic import BaseModel, ValidationError

from rc_mcp import time_limits
from rc_mcp.access import Level
from rc_mcp.guard.refusals import NOTHING_DONE, GuardError
from rc_mcp.inbox import contents, decisions, reading
from rc_mcp.inbox.desk import Arguments, Desk, InboxError, Nothing
from rc_mcp.ringcentral import Allowance, RingCentralError
from rc_mcp.views.changes import MAYBE_CHANGED, after_failure
from rc_mcp.views.error_texts import in_words

NOT_ALLOWED = "The operator does not allow this here."
TOO_SLOW = f"This took longer than {time_limits.CALL_S:.0f} s and was stopped."
WRONG = "The page and the server do not fit together: open the page again."
FAILED = f"This failed inside the server; its log says why. {MAYBE_CHANGED}"

_log = logging.getLogger(__name__)


class FailedError(InboxError):
    """An operation ended in a way that nobody foresaw. What it did until then is unknown."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A function, what it takes, and the access level that it needs.

    `only_in_browser`: it is not offered inside an app, where the model's host could call it.
    """

    act: Callable[[Desk, Any], Awaitable[BaseModel]]
    takes: type[Arguments]
    level: Level
    deletes: bool = False
    only_in_browser: bool = False


OPERATIONS: Mapping[str, Operation] = {
    "overview": Operation(reading.overview, reading.Window, "read"),
    "conversation": Operation(reading.one_conversation, reading.OneConversation, "read"),
    "search": Operation(reading.search, reading.Query, "read"),
    "text": Operation(contents.text, contents.MaybeAttachment, "read"),
    "file": Operation(contents.file, contents.FromOffset, "read"),
    "fax_page": Operation(contents.fax_page, contents.OnePage, "read"),
    "plans": Operation(decisions.plans, Nothing, "read"),
    "stop": Operation(decisions.stop, Nothing, "read"),
    "resume": Operation(decisions.resume, Nothing, "read", only_in_browser=True),
    "mark": Operation(decisions.mark, decisions.Marked, "triage"),
    "undo": Operation(decisions.undone, decisions.OneOperation, "triage"),
    "propose": Operation(decisions.propose, decisions.Proposed, "delete"),
    "decide": Operation(decisions.decide, decisions.Answer, "delete", deletes=True),
}


_FOR_ALL = frozenset({"stop", "resume"})
"""On a server for a team, these concern others too."""


def offered(desk: Desk) -> Mapping[str, Operation]:
    """Return the operations that this window may use."""
    is_in_app, left_out = desk.window == "app", _FOR_ALL if desk.page_url else frozenset[str]()
    may = {name: o for name, o in OPERATIONS.items() if desk.may(o.level) and name not in left_out}
    return {name: o for name, o in may.items() if not (is_in_app and o.only_in_browser)}


async def carry_out(desk: Desk, name: str, given: Mapping[str, object]) -> BaseModel:
    """Call an operation.

    Raises:
        InboxError: it is not offered, the arguments do not fit, or it failed. The text says what was not done.
    """
    operation = offered(desk).get(name)
    if operation is None:
        raise InboxError(f"{NOT_ALLOWED} {NOTHING_DONE}")
    try:
        asked = operation.takes.model_validate(given)
    except ValidationError:
        raise InboxError(f"{WRONG} {NOTHING_DONE}") from None
    try:
        if operation.deletes:  # it knows how much time is left, and ends by reading back
            with Allowance(time_limits.CALL_S).spent():
                return await operation.act(desk, asked)
        with move_on_after(time_limits.CALL_S):
            return await operation.act(desk, asked)
    except RingCentralError as error:
        raise InboxError(f"{in_words(error)} {_effect(operation, error)}".strip()) from error
    except GuardError as error:
        raise InboxError(str(error)) from error
    except InboxError:
        raise
    except Exception:  # noqa: BLE001  its own text may hold paths or senders' words
        _log.exception("an operation of the inbox page failed: %s", name)
        raise FailedError(FAILED) from None
    raise InboxError(f"{TOO_SLOW} {'Try again in a minute.' if operation.level == 'read' else MAYBE_CHANGED}")


def _effect(operation: Operation, error: RingCentralError) -> str:
    """Return the sentence that says whether something was changed before the error; empty if the operation reads."""
    if operation.level == "triage":
        return after_failure(error)
    return NOTHING_DONE if operation.level == "delete" else ""  # the guard reports what it sent, so a read failed
