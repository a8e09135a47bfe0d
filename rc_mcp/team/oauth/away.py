"""What a client is told while the database is away: 503 and a sentence, never that its token is wrong."""

from html import escape

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rc_mcp.team.database import DatabaseAway
from rc_mcp.team.oauth.pages import page

_AGAIN_IN_S = "5"


class SaysWhenAway:
    """Middleware that answers 503 when the database is away. It must wrap whatever verifies tokens."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        is_answered = False

        async def noted(message: Message) -> None:
            nonlocal is_answered
            is_answered = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except DatabaseAway as away:
            if is_answered or scope["type"] != "http":
                raise
            await _refusal(Request(scope), str(away))(scope, receive, send)


def _refusal(request: Request, sentence: str) -> ASGIApp:
    if "text/html" in request.headers.get("accept", ""):
        answer = page("Not available now", f'<p role="alert">{escape(sentence)}</p>', status=503)
    else:
        said = {"error": "temporarily_unavailable", "error_description": sentence}
        answer = JSONResponse(said, 503, {"Cache-Control": "no-store"})
    answer.headers["Retry-After"] = _AGAIN_IN_S
    return answer
