"""An MCP client, and the checks of what it says about itself.

No client has a secret, because any program could get one by registering. A login is protected by PKCE, the exact
redirect URI and the person who reads the consent page.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn, cast
from urllib.parse import urlsplit

from rc_mcp.team.oauth.redirects import fault_of, same
from rc_mcp.views.untrusted_text import clean

MOST_REDIRECT_URIS = 20
_ID_CHARS, _NAME_CHARS = 512, 80
_HOST = re.compile(r"[a-z0-9.:\[\]-]+", re.ASCII)
_PATH = re.compile(r"/[!$&-.0-;=@-Z_a-z~%/]+", re.ASCII)


class ClientRefused(Exception):  # noqa: N818  a state
    """A client is unknown, or what it says about itself cannot be used. The text is for its user."""


@dataclass(frozen=True, slots=True)
class Client:
    """What an MCP client says about itself."""

    client_id: str
    redirect_uris: tuple[str, ...]
    name: str

    @property
    def has_document(self) -> bool:
        """Whether the client's id is the address of its document, so that its host is proven."""
        return is_document_url(self.client_id)

    def redirect_uri(self, asked: str | None) -> str:
        """Return where the answer goes.

        Raises:
            ClientRefused: the client did not list this address.
        """
        if asked is None and len(self.redirect_uris) == 1:
            return self.redirect_uris[0]
        if asked is None:
            raise ClientRefused("The app named no redirect_uri.")
        if not any(same(asked, each) for each in self.redirect_uris):
            raise ClientRefused("The redirect_uri is not one of those that the app has listed.")
        return asked


def client_of(metadata: Mapping[str, object], client_id: str) -> Client:
    """Return the client that this metadata (RFC 7591) describes.

    Raises:
        ClientRefused: it cannot be used.
    """
    uris, name = metadata.get("redirect_uris"), metadata.get("client_name")
    if not isinstance(uris, list) or not 1 <= len(cast("list[object]", uris)) <= MOST_REDIRECT_URIS:
        _refuse(f"it must list 1 to {MOST_REDIRECT_URIS} redirect_uris")
    listed = [uri if isinstance(uri, str) else "" for uri in cast("list[object]", uris)]
    for uri in listed:
        if fault := fault_of(uri):
            _refuse(f"one of its redirect_uris {fault}")
    if metadata.get("token_endpoint_auth_method") not in (None, "none") or "client_secret" in metadata:
        _refuse("its token_endpoint_auth_method must be none")
    grant_types = metadata.get("grant_types")
    if isinstance(grant_types, list) and "authorization_code" not in grant_types:
        _refuse("its grant_types lack authorization_code")
    return Client(client_id, tuple(listed), clean(name, _NAME_CHARS) if isinstance(name, str) else "")


def is_document_url(client_id: str) -> bool:
    """Return whether a client's id is the address of its document: https, a path, nothing that could mislead."""
    if not client_id.startswith("https://") or len(client_id) > _ID_CHARS:
        return False
    try:
        parts = urlsplit(client_id)
        parts.port  # noqa: B018  it is checked when it is read
    except ValueError:
        return False
    if not (_HOST.fullmatch(parts.netloc) and _PATH.fullmatch(parts.path) and re.fullmatch(r"[!-~]+", client_id)):
        return False
    steps = re.sub("%2e", ".", parts.path, flags=re.IGNORECASE).split("/")
    return "#" not in client_id and not {".", ".."} & set(steps)


def _refuse(why: str) -> NoReturn:
    raise ClientRefused(f"The app cannot be used here: {why}.")
