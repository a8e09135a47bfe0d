"""RingCentral's errors as sentences for the model: the fault, its code, and the next step.

The meanings of codes are from RingCentral's developer guide (docs/basics/errors.md of ringcentral/ringcentral-api-docs;
an older version of it for BIL- codes) and its API explorer's tables of errors by operation. RingCentral says that its
messages may change and its codes stay the same. Therefore RingCentral's own message is shown only with a code that is
not listed here.
"""

import re
from collections.abc import Iterator

from pydantic.alias_generators import to_snake

from rc_mcp.ringcentral import errors
from rc_mcp.views.untrusted_text import word

_REPEAT = "Reads are safe to retry. Before retrying a change, check whether it took effect."
ADVICE: dict[type[errors.RingCentralError], str] = {
    errors.InvalidRequest: "Correct the argument and call again.",
    errors.LoginEnded: "The user must do that; then call again.",
    errors.LoginUnavailable: "RingCentral's login service is unavailable. Try again in a minute.",
    errors.LoginFailed: "The server could not log in; the operator must check its credentials (rc-mcp doctor).",
    errors.Unauthorized: "Try once more; if it fails again, the operator must renew the login (rc-mcp doctor).",
    errors.RecordsUnreadable: "All other messages were returned. Calling again will not help.",
    errors.GatewayAnswered: f"This answer says nothing about the messages. {_REPEAT}",
    errors.UnexpectedAnswer: f"The answer may not be from RingCentral. {_REPEAT}",
    errors.NotInPlan: "An administrator must change the account's plan or its limits; calling again will not help.",
    errors.Forbidden: (
        "This login is not allowed to do that until the permission is granted. Calling again will not help."
    ),
    errors.FaxNotReady: "The fax is still being rendered. Try again in a minute.",
    errors.NotFound: "Check the ids: they come from list_messages, read_message or sync_messages.",
    errors.MailboxNotFound: "Check account_id and extension_id, or omit them.",
    errors.SyncTokenRejected: "Call sync_messages without sync_token for a full sync.",
    errors.BadRequest: "Correct the argument and call again.",
    errors.StillProcessing: f"Wait a few seconds. {_REPEAT}",
    errors.Unavailable: "RingCentral is unavailable. Try again in a minute.",
    errors.ContentTooLarge: "The content was not returned.",
    errors.Unreachable: "RingCentral could not be reached; nothing was sent. Try again in a minute.",
    errors.NoTimeLeft: "Call again; fewer messages per call take less time.",
    errors.BadEnvironment: "The operator must correct this (rc-mcp doctor); calling again will not help.",
    errors.LoginNotKept: (
        "Try again in a minute; if it fails again, the operator must check the login store (rc-mcp doctor)."
    ),
    errors.NotSent: "Nothing was carried out. Try again in a minute.",
    errors.AnswerLost: f"The connection broke before the answer arrived. {_REPEAT}",
}
"""The next step for each error; the first class that fits is used."""


_ADMIN = "An administrator of the account must fix this; calling again will not help."
_DEVELOPER = "This is a fault in this server, or between it and RingCentral; the operator should report it."

MEANING = {
    "BIL-101": "the account's plan does not include this feature",
    "BIL-102": "a limit of the account's plan is reached",
    "CMN-101": "the value of an argument is not accepted",
    "CMN-102": "there is no such message, attachment, extension or account, or this login cannot see it",
    "CMN-103": "the body of the request could not be read as JSON",
    "CMN-104": "the request could not be read",
    "CMN-105": "the address had a query that its method does not accept",
    "CMN-106": "the request had too many ids",
    "CMN-107": "the requested part is outside the attachment",
    "CMN-108": "an id in the body differs from the one in the address",
    "CMN-109": "the account does not have this feature",
    "CMN-110": "a header was missing",
    "CMN-120": "RingCentral does not know this address",
    "CMN-201": "the service is temporarily unavailable",
    "CMN-202": "RingCentral does not support this operation here",
    "CMN-203": "RingCentral had an internal error",
    "CMN-211": "RingCentral is in an emergency mode, with some services switched off",
    "CMN-301": "too many requests in one minute",
    "CMN-302": "no rate limit is defined for this app, so its requests are rejected",
    "CMN-303": "no rate limit is defined for the account's plan, so its requests are rejected",
    "CMN-304": "the same request is already being processed",
    "CMN-310": "RingCentral is receiving too many requests overall",
    "CMN-401": "the app lacks a permission",
    "CMN-402": "only an administrator may do this",
    "CMN-403": "extensions of this type do not have this feature",
    "CMN-404": "this login may not access another extension",
    "CMN-405": "the login is for an account, not for an extension",
    "CMN-406": "a value was given twice that is allowed only once",
    "CMN-407": "a header has a wrong value",
    "CMN-408": "the user lacks a permission",
    "CMN-419": "the user has the permission for their own extension, but not for this one",
    "OAU-105": "users of this type may not log in",
    "OAU-106": "the code of the login page is not valid",
    "OAU-108": "the code of the login page has expired",
    "OAU-109": "the redirect address differs from the one at the start of the login",
    "OAU-111": "a part of the login was sent twice",
    "OAU-112": "the app is not set up for this login method",
    "OAU-113": "the app has no redirect address",
    "OAU-116": "this login method is not valid",
    "OAU-117": "the app requests permissions that it was not granted",
    **dict.fromkeys(("OAU-123", "OAU-134", "AGW-402"), "the login of the request could not be read"),
    "OAU-128": "the access token has expired",
    "OAU-129": "the access token is damaged, or was replaced by a newer one",
    "OAU-136": "the extension of the login no longer exists",
    "OAU-140": "the user's credentials are wrong",
    "OAU-141": "this extension may not log in: it is disabled or not yet set up",
    "OAU-142": "the account may not log in: it is disabled or suspended",
    "OAU-146": "the app's client ID or client secret is wrong",
    "OAU-147": "the login is locked after too many failed attempts",
    "OAU-148": "the login is locked after too many failed attempts, and requires single sign-on",
    "OAU-149": "the access token could not be read",
    "OAU-150": "two parts of the login contradict each other",
    "OAU-151": "this login method is not supported here",
    "OAU-165": "the app is for RingCentral's sandbox, which is retired",
    "OAU-167": "access to this site of the company is not allowed",
    "OAU-168": "a second factor is required in addition to the password",
    "OAU-213": "the token is no longer valid",
    **dict.fromkeys(
        ("OAU-222", "OAU-232", "OAU-236"), "the login was refused, for a reason RingCentral does not publish"
    ),
    "MSG-304": "the number does not belong to this extension",
    "MSG-305": "too many requests about messages in one minute",
    "MSG-314": "extensions of this type do not have this kind of message",
    "MSG-333": "the sync token is no longer valid",
    "MSG-343": "the fax cannot be resent in its current state",
    "MSG-368": "the fax is still being rendered",
    "MSG-411": "the sync token is not accepted",
    "AGW-401": "the request had no login",
    "AGW-404": "RingCentral's gateway does not know this address",
    # RingCentral's gateway uses words instead of codes for its own errors.
    "TokenInvalid": "the access token is not valid",
    "InsufficientPermissions": "a permission is missing",
    "MethodNotAllowed": "the address does not accept this method",
    "UnsupportedMediaType": "the content type of the request is not accepted",
}
_STEP = {
    **dict.fromkeys(("CMN-103", "CMN-104", "CMN-105", "CMN-108", "CMN-110", "CMN-120", "CMN-407"), _DEVELOPER),
    **dict.fromkeys(("MethodNotAllowed", "UnsupportedMediaType", "CMN-202"), _DEVELOPER),
    "CMN-106": "Ask for fewer ids in one call.",
    "CMN-107": "Call again for the whole attachment.",
    **dict.fromkeys(("CMN-302", "CMN-303", "CMN-109", "CMN-402", "CMN-403"), _ADMIN),
    "CMN-401": "The operator must add the permission to the app in RingCentral's developer console, then log in again.",
    "CMN-404": "Omit extension_id.",
    "CMN-405": "The operator must check the login (rc-mcp doctor).",
    "CMN-408": "An administrator must add this permission to the user's role; calling again will not help.",
    "CMN-419": "Omit extension_id, or an administrator must extend the permission to other extensions.",
    "MSG-314": "Omit that message type or that extension.",
    **dict.fromkeys(("OAU-141", "OAU-142", "OAU-105", "OAU-167"), _ADMIN),
}
_PARAMETER_IN_TEXT = re.compile(r"\[([A-Za-z]{1,40})\]")


def in_words(error: errors.RingCentralError) -> str:
    """Return the fault with RingCentral's code, then the next step."""
    said = _said(error)
    if isinstance(error, errors.RateLimited):
        step = f"Wait {error.wait_s} s before you call again; until then, such calls are not sent."
    else:
        step = next((text for kind, text in ADVICE.items() if isinstance(error, kind)), "No details are known.")
    code = error.error_code if isinstance(error, errors.APIError) else None
    return f"{said}. {_STEP.get(code or '', step)}"


def _said(error: errors.RingCentralError) -> str:
    meaning = _meaning(error) if isinstance(error, errors.APIError) else None
    held_back = isinstance(error, errors.RateLimited) and error.held_back  # by the client, not by RingCentral
    if not isinstance(error, errors.APIError) or meaning is None or held_back or isinstance(error, errors.LoginEnded):
        return str(error).rstrip(".")
    failure = "The login failed" if isinstance(error, errors.LoginFailed) else "RingCentral reported"
    return f"{failure}: {meaning} ({', '.join(_particulars(error))})"


def _meaning(error: errors.APIError) -> str | None:
    other = "the account's plan does not allow this" if isinstance(error, errors.NotInPlan) else None
    return MEANING.get(error.error_code or "", other)


def _particulars(error: errors.APIError) -> Iterator[str]:
    yield str(error.error_code)
    parameter = error.parameter or next(iter(_PARAMETER_IN_TEXT.findall(error.message or "")), None)
    if error.permission or (parameter and error.status == 403):
        yield f"permission {word(error.permission or parameter)}"
    elif parameter:
        yield f"argument {to_snake(word(parameter) or '')}"
    if error.request_id:
        yield f"request id {word(error.request_id)}"
