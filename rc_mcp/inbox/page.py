"""The page itself: one HTML file with its own script and style, and the policy that forbids everything else."""

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files

URI = "ui://rc-mcp/inbox.html"
"""The address of the page for an assistant's app."""
_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


@cache
def html() -> str:
    """Return the page, as text."""
    return files("rc_mcp.inbox").joinpath("inbox.html").read_text("utf-8")


@cache
def content_security_policy(page: str | None = None) -> str:
    """Return the policy for a browser: only the page's own script and style run, and it calls only its own server.

    Args:
        page: the text of the page. Default: as it is in its file.
    """
    hashes: dict[str, list[str]] = {"script": [], "style": []}
    for kind, text in _INLINE.findall(page or html()):
        hashes[kind].append(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'")
    own = "; ".join(f"{kind}-src {' '.join(found)}" for kind, found in hashes.items())
    return (
        f"default-src 'none'; {own}; img-src data:; media-src data:; connect-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
