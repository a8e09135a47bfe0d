"""What may go wrong on the way to RingCentral, and who else may act there, at which request of a step."""

import json
from dataclasses import dataclass
from datetime import timedelta

import httpx2 as httpx

_HTML = "<!DOCTYPE html><html><body>Sign in to use this network.</body></html>"


@dataclass(frozen=True, slots=True, repr=False)
class Event:
    """Something that happens at one request of a step (`at`: the how manieth, or the next of that method), or from
    there on at all of them (`lasting`)."""

    at: int | str
    what: str
    lasting: bool = False
    at_message: int = 0

    def __repr__(self) -> str:
        return f"<{self.what}{f' {self.at_message}' if self.what in OTHERS else ''} at {self.at}{'+' * self.lasting}>"

    def meets(self, nth: int, method: str) -> bool:
        """Whether it is this request's turn."""
        if isinstance(self.at, str):
            return method == self.at
        return nth >= self.at if self.lasting else nth == self.at


BEFORE = ("refused connection", "drop", "429", "429 for a minute", "503", "500", "502", "login page", "404 of a proxy")
"""RingCentral never sees the request."""
AFTER = (
    "drop after",
    "503 after",
    "truncated",
    "page after",
    "400 after",
    "403 after",
    "409 after",
    "429 after",
    "401 after",
)
"""RingCentral has acted, and its answer does not come."""
LATE = {"2 requests late": 2, "6 requests late": 6, "20 requests late": 20}
"""The connection breaks, and before so many more requests have come RingCentral acts all the same."""
MOST_LATE = timedelta(seconds=30)
"""Nothing is on its way for longer."""
ODD = ("false 204", "parts fail", "token expired", "404 for the reading back")
OTHERS = ("app deletes", "app purges", "app restores", "app marks", "a message arrives", "app sets the period")
OWN = ("STOP", "cancel", "cancel after")

_EARLY: tuple[int | str, ...] = (0, 1, 2, 3, 4)
_OUT: tuple[int | str, ...] = ("DELETE", "PUT")
WEATHER = (
    tuple(Event(at, what) for at in _EARLY for what in (*BEFORE, *AFTER)),
    tuple(Event(at, what) for at in _OUT for what in (*BEFORE, *AFTER)),
    tuple(Event("DELETE", what) for what in ODD),
    tuple(Event("DELETE", what) for what in LATE),
    tuple(Event(at, what, lasting=True) for at in _EARLY for what in ("drop", "503", "login page", "404 of a proxy")),
    tuple(Event(at, what, at_message=m) for at in (1, 2, 3) for what in OTHERS for m in range(9)),
    tuple(Event(at, what, at_message=m) for at in _OUT for what in OTHERS for m in range(9)),
    tuple(Event("DELETE", "a message arrives", at_message=m) for m in range(2)),  # whose text nobody has read
    tuple(Event(at, what) for at in (*_EARLY, *_OUT) for what in (*OWN * 2, "token expired")),
)
"""Kinds of events, each as likely as the others."""


def instead(what: str, request: httpx.Request) -> httpx.Response:
    """The answer that comes in place of RingCentral's.

    Raises:
        httpx.TransportError: none comes.
    """
    match "drop" if what in LATE else what.removesuffix(" after"):
        case "refused connection":
            raise httpx.ConnectError("connection refused", request=request)
        case "drop":
            raise httpx.ReadError("connection dropped", request=request)
        case "429" | "429 for a minute":
            seconds = pause_after(what).seconds
            return _refusal(429, "CMN-301", request, {"Retry-After": str(seconds)})
        case "500" | "503" as status:
            return _refusal(int(status), "CMN-201", request)
        case "400" | "401" | "403" | "409" as status:
            return _refusal(int(status), "CMN-101", request)
        case "502" | "404 of a proxy" as status:
            number = int(status[:3])
            html = {"Content-Type": "text/html"}
            return httpx.Response(number, text=f"<h1>{number}</h1>", headers=html, request=request)
        case "404 for the reading back":
            return _refusal(404, "CMN-102", request)
        case "false 204":
            return httpx.Response(204, request=request)
        case _:  # a login page, of the network's and not of ours
            return httpx.Response(200, text=_HTML, headers={"Content-Type": "text/html"}, request=request)


def pause_after(fault: str) -> timedelta:
    """How long nothing may be sent after one of the kinds of 429."""
    return timedelta(seconds=60 if fault == "429 for a minute" else 2)


def halved(response: httpx.Response, body: bytes, request: httpx.Request) -> httpx.Response:
    """The same answer, of which only half arrives."""
    headers = {"Content-Type": response.headers.get("Content-Type", "application/json")}
    return httpx.Response(response.status_code, content=body[: len(body) // 2], headers=headers, request=request)


def parts_failed(ids: list[str], request: httpx.Request) -> httpx.Response:
    """A 207 in which the first id was dealt with and the others were not."""
    failed = {"errorCode": "CMN-201", "message": "Service Temporary Unavailable"}
    parts = [
        {"resourceId": i, "status": 503, "body": failed} if n else {"resourceId": i, "status": 204}
        for n, i in enumerate(ids)
    ]
    headers = {"Content-Type": "application/vnd.ringcentral.multipart+json"}
    return httpx.Response(207, content=json.dumps(parts), headers=headers, request=request)


def _refusal(status: int, code: str, request: httpx.Request, headers: dict[str, str] | None = None) -> httpx.Response:
    body = {"errorCode": code, "message": "no", "errors": [{"errorCode": code, "message": "no"}]}
    return httpx.Response(status, json=body, headers=headers, request=request)
