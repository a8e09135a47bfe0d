"""Turns HTTP answers into records or errors.

A body may be HTML, cut off or empty, and a proxy may have sent it: `rc_mcp.ringcentral.errors` says which statuses are
trusted without a code. Sources of the error format and codes: RingCentral's guide ("Errors") and the test data of its
own clients.
"""

import gc
import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast
from unicodedata import category

from pydantic_core import from_json

from rc_mcp.ringcentral.errors import (
    APIError,
    BadRequest,
    ErrorDetail,
    ErrorFacts,
    FaxNotReady,
    Forbidden,
    GatewayAnswered,
    LoginFailed,
    LoginUnavailable,
    MailboxNotFound,
    NotFound,
    NotInPlan,
    RangeNotSatisfiable,
    RateLimited,
    StillProcessing,
    SyncTokenRejected,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
)
from rc_mcp.ringcentral.limits import LIMITS

_BY_STATUS: Mapping[int, type[APIError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    408: Unavailable,
    416: RangeNotSatisfiable,
}
_TRUSTED_WITHOUT_CODE = (401, 408, 416, 429)
_SPECIFIC_CODE = re.compile(r"[A-Z]{2,5}-[0-9]+")
# CMN-120, "Invalid URI", means that the request reached no service, so not the Message Store either.
_GATEWAYS_CODE = re.compile(r"AGW-[0-9]+|CMN-120")
_PLANS_CODE = re.compile(r"BIL-[0-9]+")
_NAMED_IN_TEXT = re.compile(r"\[([A-Za-z]{1,40})\]")
_ONE_MESSAGE = re.compile(r"/message-store/[0-9]+(/content/[0-9]+)?$")
_MAYBE_A_SECRET = re.compile(r"[A-Za-z0-9+/=_.~-]{40,}")


@dataclass(frozen=True)
class CompleteResponse:
    """A successful answer with its complete body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


def parsed(body: bytes, *secrets: str) -> object:
    """Parse a JSON body and mask these secrets, also where they are escaped. Return None for invalid JSON."""
    if not secrets:
        with suppress(ValueError):
            return _from_json(body)
    try:
        # A text cut inside an emoji ends in half a surrogate pair, which UTF-8 cannot encode.
        text = json.dumps(json.loads(body), ensure_ascii=False).encode("utf-8", "replace")
        for secret in secrets:
            text = text.replace(json.dumps(secret)[1:-1].encode(), b"***")
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _from_json(body: bytes) -> object:
    # A page of 1,000 messages is 7,000 dicts and lists, none of them garbage. Python would look through them ten times
    # while they are made, and sometimes through all that the program holds: that takes as long as the parsing.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return from_json(body)
    finally:
        if was_enabled:
            gc.enable()


def without(headers: Mapping[str, str], *secrets: str) -> dict[str, str]:
    """Return the headers with these secrets masked."""
    masked = dict(headers)
    for secret in secrets:
        masked = {name: value.replace(secret, "***") for name, value in masked.items()}
    return masked


def refusal(
    status: int, body: object, headers: Mapping[str, str], *, method: str, path: str, in_207: bool = False
) -> APIError | UnexpectedAnswer:
    """Return the error for an unsuccessful answer, or for one part of a 207."""
    if status < 400:
        return UnexpectedAnswer(f"RingCentral answered {status} to {method} {path[:120]}", status=status)
    facts = _facts(body, headers, method, path)
    if status == 429 and "CMN-304" in _specific_codes(facts):
        return StillProcessing(status, retry_after_s=retry_after_s(headers), **facts)
    if status == 429:
        return _rate_limited(headers, facts)
    if status < 500 and status not in _TRUSTED_WITHOUT_CODE:
        codes = _specific_codes(facts)
        if gateways := [code for code in codes if _GATEWAYS_CODE.fullmatch(code)]:
            text = f"RingCentral's API gateway answered {status} {gateways[0]} to {method} {path[:120]}"
            return GatewayAnswered(f"{text}; the Message Store did not answer", status=status)
        if not codes and (status == 404 or not in_207):
            text = f"The answer {status} to {method} {path[:120]} has no RingCentral error code"
            return UnexpectedAnswer(f"{text}; a proxy or firewall may have sent it", status=status)
    kind = _class_of_404(facts, path, in_207=in_207) if status == 404 else _class(status, facts)
    if kind is Unavailable:
        return Unavailable(status, retry_after_s=retry_after_s(headers), **facts)
    return kind(status, **facts)


def login_refusal(status: int, body: object, headers: Mapping[str, str], path: str) -> APIError:
    """Return the error for a token endpoint's answer without a token."""
    facts = _facts(body, headers, "POST", path)
    if status == 429:
        return _rate_limited(headers, facts)
    is_gateways = status != 401 and any(_GATEWAYS_CODE.fullmatch(code) for code in _specific_codes(facts))
    is_outage = status == 408 or not 400 <= status < 500  # also a 200 with a network's login page
    if is_outage or is_gateways:
        return LoginUnavailable(status, retry_after_s=retry_after_s(headers), **facts)
    return LoginFailed(status, **facts)


def fields_of(value: object) -> dict[str, Any]:
    """Return the fields of a JSON object; empty for any other value."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def plain(value: object, max_chars: int = LIMITS.error_text_chars) -> str | None:
    """Return a server's text as one bounded line for an error, without anything that could be a token."""
    line = one_line(value, max_chars * 4)
    return line and _cut(_MAYBE_A_SECRET.sub("[...]", line), max_chars)


def one_line(value: object, max_chars: int) -> str | None:
    """Return a text on one bounded line without control and formatting characters; None if nothing is left."""
    if not isinstance(value, str):
        return None
    start = value[: max_chars * 4]
    tidy = " ".join("".join(" " if category(char)[0] in "CZ" else char for char in start).split())
    return _cut(tidy, max_chars) or None


def _cut(text: str, max_chars: int) -> str:
    return text if len(text) <= max_chars else text[: max_chars - 1] + "…"


def _specific_codes(facts: ErrorFacts) -> list[str]:
    codes = [facts["envelope_code"], *(error.error_code for error in facts["errors"])]
    return [code for code in codes if code and _SPECIFIC_CODE.fullmatch(code)]


def _class_of_404(facts: ErrorFacts, path: str, *, in_207: bool) -> type[APIError]:
    """Decide by the parameters that CMN-102 names. A plain 404 for many ids does not say which one is missing."""
    named = _named_by_cmn_102(facts)
    if named & {"accountId", "extensionId"}:
        return MailboxNotFound
    one = _ONE_MESSAGE.search(path)
    asked_for = {"messageId", "attachmentId"} if one and one[1] else {"messageId"}
    if named and named <= asked_for and (one or (in_207 and "/message-store/" in path)):
        return NotFound
    return _class(404, facts)


def _named_by_cmn_102(facts: ErrorFacts) -> set[str]:
    """Return the parameters of each CMN-102 error, given in a field or as `[messageId]` in the text."""
    envelope = ErrorDetail(facts["envelope_code"], facts["message"], facts["parameter"])
    named: set[str] = set()
    for error in (envelope, *facts["errors"]):
        if error.error_code == "CMN-102":
            named |= {error.parameter} if error.parameter else set(_NAMED_IN_TEXT.findall(error.message or ""))
    return named


def _class(status: int, facts: ErrorFacts) -> type[APIError]:
    codes = {facts["error_code"], *(error.error_code for error in facts["errors"])}
    if "MSG-368" in codes:
        return FaxNotReady
    if status >= 500 or "CMN-201" in codes:
        return Unavailable
    if status not in _TRUSTED_WITHOUT_CODE and any(_PLANS_CODE.fullmatch(code or "") for code in codes):
        return NotInPlan
    if status == 400 and ("MSG-333" in codes or "MSG-411" in codes or _names_sync_token(codes, facts)):
        return SyncTokenRejected
    return _BY_STATUS.get(status, APIError)


def _names_sync_token(codes: Iterable[str | None], facts: ErrorFacts) -> bool:
    """CMN-101 can mean any parameter, and some answers name it only in the text."""
    return "CMN-101" in codes and "[syncToken]" in f"[{facts['parameter']}] {facts['message']}"


def _rate_limited(headers: Mapping[str, str], facts: ErrorFacts) -> RateLimited:
    group = _header(headers, "x-rate-limit-group")
    return RateLimited(retry_after_s=penalty_s(headers), group=group, **facts)


def _facts(body: object, headers: Mapping[str, str], method: str, path: str) -> ErrorFacts:
    top = fields_of(body)
    errors = tuple(_detail(entry) for entry in _list(top.get("errors"))[:20])
    envelope = _detail(top)
    first = errors[0] if errors else ErrorDetail()
    codes = [envelope.error_code, *(error.error_code for error in errors), plain(top.get("error"), 64)]
    return {
        "error_code": _most_specific(codes),
        "envelope_code": envelope.error_code,
        "message": envelope.message or first.message or plain(top.get("error_description")),
        "parameter": envelope.parameter or first.parameter,
        "permission": envelope.permission or first.permission,
        "request_id": _header(headers, "rcrequestid"),
        "errors": errors,
        "method": method,
        "path": path,
    }


def _detail(entry: object) -> ErrorDetail:
    fields = fields_of(entry)
    return ErrorDetail(
        error_code=plain(fields.get("errorCode"), 64),
        message=plain(fields.get("message")),
        parameter=plain(fields.get("parameterName"), 64),
        permission=plain(fields.get("permissionName") or fields.get("permissionsName"), 64),
    )


def _most_specific(codes: Iterable[str | None]) -> str | None:
    """Return the first code of the form `CMN-102`. Without one, return the first code, such as `TokenInvalid`."""
    given = [code for code in codes if code]
    return next((code for code in given if _SPECIFIC_CODE.fullmatch(code)), given[0] if given else None)


def penalty_s(headers: Mapping[str, str]) -> float:
    """Return how many seconds after a 429 no request may be sent."""
    return retry_after_s(headers) or LIMITS.retry_after_s


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After, a number or a date (RFC 9110), as 1 to 3,600 s. Return None if it is neither."""
    seconds = _seconds(headers.get("retry-after", "").strip())
    return None if seconds is None else min(max(1.0, seconds), LIMITS.max_retry_after_s)


def _seconds(value: str) -> float | None:
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        when = parsedate_to_datetime(value)
        return (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    except (ValueError, OverflowError):
        return None


def _header(headers: Mapping[str, str], name: str) -> str | None:
    value = headers.get(name, "")
    return plain(value, 64) if value else None


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []
