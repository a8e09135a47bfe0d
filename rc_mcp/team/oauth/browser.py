"""The browser in which a person logs in: a random cookie that ties the steps of a login together."""

import re
import secrets

from starlette.requests import Request
from starlette.responses import Response

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_LASTS_S = 3_600


class Browsers:
    """Reads and sets the cookie.

    Args:
        is_https: whether people reach the server over https. Plain http is only for this machine, and cannot have a
            `__Host-` cookie, which no other site can set.
    """

    def __init__(self, is_https: bool) -> None:
        self._is_https = is_https
        self._name = "__Host-rc-mcp-login" if is_https else "rc-mcp-login"

    def secret(self, request: Request) -> str | None:
        """Return the secret of the browser that sent this request, if it has one."""
        found = request.cookies.get(self._name, "")
        return found if _SECRET.fullmatch(found) else None

    def remember(self, response: Response, secret: str) -> None:
        """Give the browser its secret."""
        response.set_cookie(
            self._name,
            secret,
            max_age=_LASTS_S,
            path="/",
            secure=self._is_https,
            httponly=True,
            samesite="lax",  # RingCentral's answer comes from another site
        )


def new_secret() -> str:
    """Return the secret of a browser that has none yet."""
    return secrets.token_urlsafe(32)


def is_own_page(request: Request, public_url: str) -> bool:
    """Return whether a page of ours sent this form. For browsers that send no Origin, the cookie must be enough."""
    return request.headers.get("origin", public_url) == public_url
