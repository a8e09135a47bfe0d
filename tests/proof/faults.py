"""Faults on the way to RingCentral, and actions of other apps, each at one request of a step."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from itertools import cycle
from typing import Any

import httpx2 as httpx

_HTML = "<!DOCTYPE html><html><body>Sign in to use this network.</body></html>"


@dataclass(frozen=True, slots=True, repr=False)
class Event:
    """An event at one request of a step (`at`: its index, or the next request of that method), or at all requests from
    there on (`lasting`)."""

    at: int | str
    what: str
    lasting: bool = False
    at_message: int = 0

    def __repr__(self) -> str:
        return f"<{self.what}{f' {self.at_message}' if self.what in OTHERS else ''} at {self.at}{'+' * self.lasting}>"

    def meets(self, nth: int, kinds: Collection[str]) -> bool:
        """Return whether the event is due now. `kinds`: the request's method, and `LIST` if it lists a conversation."""
        if isinstance(self.at, str):
            return self.at in kinds
        return nth >= self.at if self.lasting else nth == self.at


BEFORE = (
    "refused connection",
    "drop",
    "429",
    "429 for a minute",
    "503",
    "500",
    "502",
    "login page",
    "404 of a proxy",
    "404 of the gateway",
    "404 CMN-120",
    "404 of the extension",
)
"""RingCentral's message store never sees the request."""
RESTORED = "drop after, and restored"
"""RingCentral has acted, its answer is lost, and another app restores a message before it is read again."""
AFTER = (
    "drop after",
    RESTORED,
    "503 after",
    "truncated",
    "page after",
    "400 after",
    "403 after",
    "409 after",
    "429 after",
    "401 after",
    "404 of the gateway after",
)
"""RingCentral has acted, and its answer is lost."""
LATE = {"2 requests late": 2, "6 requests late": 6, "20 requests late": 20}
"""The connection breaks, but RingCentral still acts, at most this many requests later."""
WITHOUT_CODE = {
    "401 of a proxy, late": 6,
    "416 of a proxy, late": 6,
    "403 of a proxy, late": 6,
    "404 of the gateway, late": 6,
}
"""A proxy or gateway answers without a code of the message store, and RingCentral acts this many requests later."""
PARTS = {
    "parts fail": ("done", "503", "503"),
    "parts refused, others late": ("403", "503 late", "done"),
    "parts late, others refused": ("503 late", "404", "done"),
    "parts refused, others missing": ("404", "missing", "done"),
    "parts missing, others refused": ("missing", "done", "403"),
    "parts of the gateway, late": ("gateway late", "done", "403"),
}
"""A 207, and the outcome of each named message; the outcomes repeat."""
PARTS_LATE = 12
"""RingCentral carries out the parts that it did not refuse this many requests later."""
MOST_LATE = timedelta(seconds=30)
"""The longest delay of a request."""
ODD = (
    "false 204",
    "false 204, then the gateway",
    "token expired",
    "404 for the reading back",
    "all conversations",  # a proxy removes the filter of a list
)
READ_BACK = {
    "404 for the reading back": "404 for the reading back",
    "false 204, then the gateway": "404 of the gateway",
}
"""The fault at the next reading after one of these."""
ARRIVALS = {
    "a message arrives": timedelta(),
    "an early message arrives": timedelta(minutes=95),
    "a very early message arrives": timedelta(days=2, hours=6),
}
"""How much earlier than its arrival the time of a message is: some messages were delayed."""
OTHERS = ("app deletes", "app purges", "app restores", "app marks", "app sets the period", *ARRIVALS)
OWN = ("STOP", "cancel", "cancel after")

_EARLY: tuple[int | str, ...] = (0, 1, 2, 3, 4)
_OUT: tuple[int | str, ...] = ("DELETE", "PUT")
_LASTING = ("drop", "503", "login page", "404 of a proxy", "404 of the gateway")
EVENTS = (
    tuple(Event(at, what) for at in _EARLY for what in (*BEFORE, *AFTER) if what != RESTORED),
    tuple(Event(at, what) for at in _OUT for what in (*BEFORE, *AFTER) if (at, what) != ("PUT", RESTORED)),
    tuple(Event("DELETE", what) for what in ODD if what != "all conversations"),
    tuple(Event("LIST", "all conversations", lasting=lasting) for lasting in (False, True)),
    tuple(Event(at, what) for at in _OUT for what in LATE),
    tuple(Event(at, what) for at in _OUT for what in WITHOUT_CODE),
    tuple(Event("DELETE", what) for what in PARTS),
    tuple(Event(at, what, lasting=True) for at in _EARLY for what in _LASTING),
    tuple(Event(at, what, at_message=m) for at in (1, 2, 3) for what in OTHERS for m in range(9)),
    tuple(Event(at, what, at_message=m) for at in _OUT for what in OTHERS for m in range(9)),
    tuple(Event("DELETE", what, at_message=m) for what in ARRIVALS for m in range(2)),  # its text is still unread
    tuple(Event(at, what) for at in (*_EARLY, *_OUT) for what in (*OWN * 2, "token expired")),
)
"""Kinds of events, each as likely as the others."""


def instead(what: str, request: httpx.Request) -> httpx.Response:
    """Return the answer that replaces RingCentral's.

    Raises:
        httpx.TransportError: there is no answer.
    """
    said = "drop" if what in LATE or what == RESTORED else what.removesuffix(" after").removesuffix(", late")
    if said == "refused connection":
        raise httpx.ConnectError("connection refused", request=request)
    if said == "drop":
        raise httpx.ReadError("connection dropped", request=request)
    if said.startswith("429"):
        return _refusal(429, "CMN-301", request, {"Retry-After": str(pause_after(what).seconds)})
    if said in _REFUSALS:
        return _refusal(*_REFUSALS[said], request)
    if said in {"404 of the gateway", "404 of the extension"}:
        body = GATEWAY if said == "404 of the gateway" else _not_found("extensionId")
        return httpx.Response(404, json=body, request=request)
    if said.startswith("false 204"):
        return httpx.Response(204, request=request)
    number = said[:3]
    if number.isdigit():
        return httpx.Response(
            int(number), text=f"<h1>{number}</h1>", headers={"Content-Type": "text/html"}, request=request
        )
    # The network's login page.
    return httpx.Response(200, text=_HTML, headers={"Content-Type": "text/html"}, request=request)


_REFUSALS = {
    "400": (400, "CMN-101"),
    "401": (401, "CMN-101"),
    "403": (403, "CMN-101"),
    "404 CMN-120": (404, "CMN-120"),
    "404 for the reading back": (404, "CMN-102"),
    "409": (409, "CMN-101"),
    "500": (500, "CMN-201"),
    "503": (503, "CMN-201"),
}
"""Answers in RingCentral's own form."""
GATEWAY: dict[str, Any] = {"errorCode": "AGW-404", "message": "Resource not found", "errors": []}
"""The answer of RingCentral's gateway without a route: it says nothing about a message."""


def pause_after(fault: str) -> timedelta:
    """Return how long no request may be sent after this kind of 429."""
    return timedelta(seconds=60 if fault == "429 for a minute" else 2)


def halved(response: httpx.Response, body: bytes, request: httpx.Request) -> httpx.Response:
    """Return the first half of an answer."""
    headers = {"Content-Type": response.headers.get("Content-Type", "application/json")}
    return httpx.Response(response.status_code, content=body[: len(body) // 2], headers=headers, request=request)


def named(request: httpx.Request) -> list[str]:
    """Return the message ids in a request's path."""
    return request.url.path.partition("/message-store")[2].strip("/").split(",")


def fates(request: httpx.Request, fault: str) -> dict[str, str]:
    """Return the outcome of each id of a DELETE, by one of `PARTS`."""
    return dict(zip(named(request), cycle(PARTS[fault]), strict=False))


def only(request: httpx.Request, names: Collection[str]) -> httpx.Request:
    """Return the same DELETE for only these ids. Raise without ids: it would delete the whole mailbox."""
    if not names:
        raise ValueError("a DELETE of nothing")
    url = request.url.copy_with(path=f"{request.url.path.rpartition('/')[0]}/{','.join(names)}")
    return httpx.Request("DELETE", url, headers=request.headers)


def of_all_conversations(request: httpx.Request) -> httpx.Request:
    """Return the same list request without its conversation filter."""
    kept = [(key, value) for key, value in request.url.params.multi_items() if key != "conversationId"]
    return httpx.Request(request.method, request.url.copy_with(params=kept), headers=request.headers)


def comes_late(request: httpx.Request, fault: str | None) -> tuple[httpx.Request, int] | None:
    """Return the part of a DELETE that arrives after its answer, if any, and how many requests later."""
    if fault in LATE or fault in WITHOUT_CODE:
        return request, (LATE | WITHOUT_CODE)[fault]
    if fault not in PARTS:
        return None
    late = [name for name, fate in fates(request, fault).items() if fate in {"503 late", "missing", "gateway late"}]
    return (only(request, late), PARTS_LATE) if late else None


def in_parts(request: httpx.Request, fault: str) -> httpx.Response:
    """Return the 207 with the outcome of each id."""
    parts = [part for name, fate in fates(request, fault).items() for part in _part(name, fate)]
    headers = {"Content-Type": "application/vnd.ringcentral.multipart+json"}
    return httpx.Response(207, content=json.dumps(parts), headers=headers, request=request)


def _part(name: str, fate: str) -> list[dict[str, Any]]:
    if fate == "missing":
        return []
    if fate == "done":
        return [{"resourceId": name, "status": 204}]
    if fate == "gateway late":
        return [{"resourceId": name, "status": 404, "body": GATEWAY}]
    codes = {"403": "CMN-408", "404": "CMN-102", "503": "CMN-201"}
    return [{"resourceId": name, "status": int(fate[:3]), "body": _body(codes[fate[:3]])}]


def _refusal(status: int, code: str, request: httpx.Request, headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.Response(status, json=_body(code), headers=headers, request=request)


def _body(code: str) -> dict[str, Any]:
    if code == "CMN-102":
        return _not_found("messageId")
    return {"errorCode": code, "message": "no", "errors": [{"errorCode": code, "message": "no"}]}


def _not_found(parameter: str) -> dict[str, Any]:
    error = {"errorCode": "CMN-102", "message": f"Resource for parameter [{parameter}] is not found"}
    error["parameterName"] = parameter
    return {**error, "errors": [error]}
