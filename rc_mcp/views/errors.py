"""RingCentral's errors in words a model can act on: what was wrong, the code, and what to do now.

What each code means is from RingCentral's developer guide (docs/basics/errors.md of ringcentral/ringcentral-api-docs)
and its API explorer's tables of errors by operation. RingCentral says that messages may change and codes stay: a code
that is known here is told in our words, and RingCentral's own message is shown only for others.
"""

import re
from collections.abc import Iterator

from pydantic.alias_generators import to_snake

from rc_mcp.ringcentral import (
    AnswerLost,
    APIError,
    BadEnvironment,
    BadRequest,
    ContentTooLarge,
    FaxNotReady,
    Forbidden,
    GatewayAnswered,
    InvalidRequest,
    LoginEnded,
    LoginFailed,
    LoginNotKept,
    LoginUnavailable,
    MailboxNotFound,
    NotFound,
    NoTimeLeft,
    NotSent,
    RateLimited,
    RecordsUnreadable,
    RingCentralError,
    SyncTokenRejected,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
)
from rc_mcp.views.text import word

_REPEAT = "A reading can be repeated; before you repeat a change, read what became of it."
_ADVICE: tuple[tuple[type[RingCentralError], str], ...] = (
    (InvalidRequest, "Correct the argument and call again."),
    (LoginEnded, "A person has to do that; then call again."),
    (LoginUnavailable, "RingCentral's login is not available now. Try again in a minute."),
    (LoginFailed, "The server could not log in; a person has to check its credentials (rc-mcp doctor)."),
    (Unauthorized, "Try once more; if it stays so, a person has to renew the login (rc-mcp doctor)."),
    (RecordsUnreadable, "All others have come; calling again will not help."),
    (GatewayAnswered, f"So this says nothing about the messages. {_REPEAT}"),
    (UnexpectedAnswer, f"It may not have been RingCentral that answered. {_REPEAT}"),
    (
        Forbidden,
        "This login may not do that; a person has to grant the permission. Calling again will not help.",
    ),
    (FaxNotReady, "The fax is still being rendered. Try again in a minute."),
    (NotFound, "Check the ids: they come from list_messages, read_message or sync_messages."),
    (MailboxNotFound, "Check account_id and extension_id, or leave them out."),
    (SyncTokenRejected, "Call sync_messages without sync_token for a full sync."),
    (BadRequest, "Correct the argument and call again."),
    (Unavailable, "RingCentral is not available now. Try again in a minute."),
    (ContentTooLarge, "It was not returned."),
    (Unreachable, "RingCentral could not be reached; nothing was sent. Try again in a minute."),
    (NoTimeLeft, "Call again; fewer messages at once take less time."),
    (BadEnvironment, "A person has to correct it (rc-mcp doctor); calling again will not help."),
    (
        LoginNotKept,
        "Try again in a minute; if it stays so, a person has to see to where the login is kept (rc-mcp doctor).",
    ),
    (NotSent, "Nothing was carried out. Try again in a minute."),
    (AnswerLost, f"The connection broke before the answer came. {_REPEAT}"),
)


_ADMIN = "An administrator of the account has to see to it; calling again will not help."
_LOGIN = "A person has to check the login (rc-mcp doctor)."
_DEVELOPER = "That is a fault of this server or of something on the way; a person should report it."

MEANING = {
    "CMN-101": "the value of an argument is not accepted",
    "CMN-102": "there is no such message, attachment, extension or account, or this login cannot see it",
    "CMN-103": "the body of the request could not be read as JSON",
    "CMN-104": "the request could not be read",
    "CMN-105": "the address had a query that does not go with its method",
    "CMN-106": "there were more ids in one request than are allowed",
    "CMN-107": "the part asked for lies outside of the attachment",
    "CMN-108": "an id in the body differs from the one in the address",
    "CMN-109": "the account does not have this feature",
    "CMN-110": "a header was missing",
    "CMN-120": "the address is none that RingCentral knows",
    "CMN-201": "the service is out of order for the moment",
    "CMN-202": "RingCentral does not support this operation here",
    "CMN-203": "RingCentral had an internal error",
    "CMN-211": "RingCentral runs in an emergency mode, in which some services are switched off",
    "CMN-301": "too many requests were made in a minute",
    "CMN-302": "no rate limit is defined for this app, so none of its requests pass",
    "CMN-303": "no rate limit is defined for the account's plan, so no request passes",
    "CMN-304": "the same request is being worked on already",
    "CMN-310": "RingCentral gets too many requests as a whole",
    "CMN-401": "the app lacks a permission",
    "CMN-402": "only an administrator may do this",
    "CMN-403": "extensions of this type do not have this feature",
    "CMN-404": "this login may not reach another extension",
    "CMN-405": "the login is to an account and not to an extension",
    "CMN-406": "a value was given twice that may stand only once",
    "CMN-407": "a header has a wrong value",
    "CMN-408": "the user lacks a permission",
    "CMN-419": "the user has the permission for their own extension, and not for this one",
    "OAU-105": "users of this type may not log in",
    "OAU-106": "the code of the login page is not valid",
    "OAU-108": "the code of the login page has expired",
    "OAU-109": "the redirect address is not the one the login began with",
    "OAU-111": "a part of the login was sent twice",
    "OAU-112": "the app is not set up for this way of logging in",
    "OAU-113": "the app has no redirect address",
    "OAU-116": "this way of logging in is not valid",
    "OAU-117": "the app asks for more than it was granted",
    "OAU-123": "the login of the request could not be read",
    "OAU-128": "the access token has expired",
    "OAU-129": "the access token is damaged, or was replaced by a newer one",
    "OAU-134": "the login of the request could not be read",
    "OAU-136": "the extension of the login does not exist any more",
    "OAU-140": "the user's credentials are wrong",
    "OAU-141": "this extension may not log in, as it is disabled or not yet set up",
    "OAU-142": "the account may not log in, as it is disabled or suspended",
    "OAU-146": "the app's client ID or client secret is wrong",
    "OAU-147": "the login is locked after too many failed attempts",
    "OAU-148": "the login is locked after too many failed attempts, and takes single sign-on",
    "OAU-149": "the access token could not be read",
    "OAU-150": "two parts of the login contradict each other",
    "OAU-151": "this way of logging in is not supported here",
    "OAU-165": "the app is one for RingCentral's sandbox, which is retired",
    "OAU-167": "this site of the company may not be reached",
    "OAU-168": "a second factor is required, so a password is not enough",
    "OAU-213": "the token is not known any more",
    "OAU-222": "the login was refused, for a reason RingCentral does not publish",
    "OAU-232": "the login was refused, for a reason RingCentral does not publish",
    "OAU-236": "the login was refused, for a reason RingCentral does not publish",
    "MSG-304": "the number does not belong to this extension",
    "MSG-305": "too many requests about messages were made in a minute",
    "MSG-314": "an extension of this type does not have this kind of message",
    "MSG-333": "the sync token is no longer good",
    "MSG-343": "the fax cannot be sent again as it is now",
    "MSG-368": "the fax is still being made into pages",
    "MSG-411": "the sync token is not accepted",
    "AGW-401": "the request came without a login",
    "AGW-402": "the login of the request could not be read",
    "AGW-404": "the address is none that RingCentral's gateway knows",
    # Words instead of codes, with which RingCentral's gateway answers for itself.
    "TokenInvalid": "the access token is not valid",
    "InsufficientPermissions": "a permission is missing",
    "MethodNotAllowed": "this cannot be done to that address",
    "UnsupportedMediaType": "the form of the request's body is not accepted",
}
_STEP = {
    **dict.fromkeys(("CMN-103", "CMN-104", "CMN-105", "CMN-108", "CMN-110", "CMN-120", "CMN-407"), _DEVELOPER),
    **dict.fromkeys(("MethodNotAllowed", "UnsupportedMediaType", "CMN-202"), _DEVELOPER),
    "CMN-106": "Ask for fewer ids in one call.",
    "CMN-107": "Call again for the whole attachment.",
    **dict.fromkeys(("CMN-302", "CMN-303", "CMN-109", "CMN-402", "CMN-403"), _ADMIN),
    "CMN-304": "Wait a moment, then read what became of it.",
    "CMN-401": "Somebody has to add the permission to the app in RingCentral's developer console, and log in anew.",
    "CMN-404": "Leave extension_id out.",
    "CMN-405": _LOGIN,
    "CMN-408": "An administrator has to give the user's role this permission; calling again will not help.",
    "CMN-419": "Leave extension_id out, or an administrator has to widen the permission to other extensions.",
    "MSG-314": "Leave that message type, or that extension, out.",
    **dict.fromkeys(("OAU-141", "OAU-142", "OAU-105", "OAU-167"), _ADMIN),
}
_PARAMETER_IN_TEXT = re.compile(r"\[([A-Za-z]{1,40})\]")


def in_words(error: RingCentralError) -> str:
    """The error as a sentence or two: what was wrong, with RingCentral's code, then the next step."""
    said = _said(error)
    if isinstance(error, RateLimited):
        step = f"Wait {error.retry_after_s:.0f} s before you call again; until then such calls are not sent."
    else:
        step = next((text for kind, text in _ADVICE if isinstance(error, kind)), "Nothing more is known.")
    code = error.error_code if isinstance(error, APIError) else None
    return f"{said}. {_STEP.get(code or '', step)}"


def _said(error: RingCentralError) -> str:
    meaning = MEANING.get(error.error_code or "") if isinstance(error, APIError) else None
    held_back = isinstance(error, RateLimited) and error.held_back  # by the client: RingCentral said nothing
    if not isinstance(error, APIError) or meaning is None or held_back or isinstance(error, LoginEnded):
        return str(error).rstrip(".")
    what = "The login failed" if isinstance(error, LoginFailed) else "RingCentral said no"
    return f"{what}: {meaning} ({', '.join(_particulars(error))})"


def _particulars(error: APIError) -> Iterator[str]:
    yield str(error.error_code)
    parameter = error.parameter or next(iter(_PARAMETER_IN_TEXT.findall(error.message or "")), None)
    if error.permission or (parameter and error.status == 403):
        yield f"permission {word(error.permission or parameter)}"
    elif parameter:
        yield f"argument {to_snake(word(parameter) or '')}"
    if error.request_id:
        yield f"request id {word(error.request_id)}"
