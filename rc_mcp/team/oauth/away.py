"""The answer to clients while the database is away: 503 and a sentence, never that a token is wrong."""

from html import escape

from mcp.types import INTERNAL_ERROR
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rc_mcp.team.database import DatabaseAway
from rc_mcp.team.oauth.pages import page

_AGAIN_IN_S = "5"
_NOT_KEPT = {"Cache-Control": "no-store"}


class SaysWhenAway:
    """Middleware that answers 503 when the database is away.

    Starlette answers 500 before it passes an exception on, so a 500 waits here until it is known why.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        begun, held = False, list[Message]()

        async def noted(message: Message) -> None:
            nonlocal begun
            if held or message.get("status") == 500:
                held.append(message)
            else:
                begun = True
                await send(message)

        try:
            await self._app(scope, receive, noted)
        except DatabaseAway as away:
            if begun or scope["type"] != "http":
                raise
            await refusal(Request(scope), str(away))(scope, receive, send)
            return
        except BaseException:
            await _all(held, send)
            raise
        await _all(held, send)


async def _all(messages: list[Message], send: Send) -> None:
    for message in messages:
        await send(message)


def refusal(request: Request, sentence: str) -> ASGIApp:
    """Return the answer 503 with this sentence, in the form that the client shows."""
    accept = request.headers.get("accept", "")
    if "text/html" in accept:
        answer = page("Not available now", f'<p role="alert">{escape(sentence)}</p>', status=503)
    elif "text/event-stream" in accept:  # an MCP client shows the sentence only in a message of its protocol
        error = {"code": INTERNAL_ERROR, "message": sentence}
        answer = JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, 503, _NOT_KEPT)
    else:
        said = {"error": "temporarily_unavailable", "error_description": sentence}
        answer = JSONResponse(said, 503, _NOT_KEPT)
    answer.headers["Retry-After"] = _AGAIN_IN_S
    return answer
