"""Files for people who are not at this server's machine: a link that gives one attachment, once, for a few minutes.

The link is a secret, of which the database has only the digest. It opens with the login of the person who asked for
it, streams from RingCentral, and nothing of the file stays here.
"""

import hashlib
import json
import logging
import secrets
from dataclasses import asdict, dataclass
from datetime import timedelta

from anyio import move_on_after
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from rc_mcp import time_limits
from rc_mcp.attachments.fetching import AttachmentRef
from rc_mcp.media.kinds import labelled, suffix
from rc_mcp.ringcentral import Content, RingCentralError
from rc_mcp.team.database import Database, DatabaseAway
from rc_mcp.team.key_ring import KeyRing, NotOpened
from rc_mcp.team.people import Person
from rc_mcp.team.sessions import NoSession, Sessions
from rc_mcp.views.error_texts import in_words

LASTS = timedelta(minutes=5)
PATH = "/files"
GONE = "This link was used already, or has expired. Ask your assistant for a new one.\n"
_PURPOSE = "file-link"
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_log = logging.getLogger(__name__)


class FileLinks:
    """Makes links, and takes each one back once."""

    def __init__(self, database: Database, keys: KeyRing, public_url: str) -> None:
        self._database = database
        self._keys = keys
        self._public_url = public_url

    def of(self, person: Person) -> "PersonsLinks":
        """Return what makes links for this person."""
        return PersonsLinks(self, person)

    async def make(self, person: Person, place: AttachmentRef) -> str:
        """Return a new link.

        Raises:
            DatabaseAway: the database cannot be used now.
        """
        secret = secrets.token_urlsafe(32)
        sealed = self._keys.seal(json.dumps([person.id, asdict(place)]).encode(), _PURPOSE)
        now = self._database.now()
        async with self._database.transaction() as db:
            await db.execute("DELETE FROM file_link WHERE expires <= %s", (now,))
            await db.execute("INSERT INTO file_link VALUES (%s, %s, %s)", (_digest(secret), now + LASTS, sealed))
        return f"{self._public_url}{PATH}/{secret}"

    async def take(self, secret: str) -> tuple[str, AttachmentRef] | None:
        """Return whose link this is, and to what; None if there is no such link. It works only once.

        Raises:
            DatabaseAway: the database cannot be used now.
        """
        async with self._database.transaction() as db:
            taken = await db.execute(
                "DELETE FROM file_link WHERE digest = %s AND expires > %s RETURNING sealed",
                (_digest(secret), self._database.now()),
            )
            row = await taken.fetchone()
        if row is None:
            return None
        try:
            person_id, place = json.loads(self._keys.open(bytes(row[0]), _PURPOSE))
        except NotOpened:
            return None
        return person_id, AttachmentRef(**place)


@dataclass(frozen=True, slots=True)
class PersonsLinks:
    """Makes links for one person."""

    links: FileLinks
    person: Person

    async def link_to(self, place: AttachmentRef) -> str:
        """Return a new link to this attachment."""
        return await self.links.make(self.person, place)


def file_route(links: FileLinks, sessions: Sessions) -> Route:
    """Return the address at which links are opened."""
    return Route(f"{PATH}/{{secret}}", _Files(links, sessions))


class _Files:
    def __init__(self, links: FileLinks, sessions: Sessions) -> None:
        self._links = links
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        if request.method != "GET":  # a program that only looks at an address must not use the link up
            await _said("Only GET is possible here.\n", 405)(scope, receive, send)
            return
        try:
            found = await self._links.take(request.path_params["secret"])
            if found is None:
                await _said(GONE, 404)(scope, receive, send)
                return
            person_id, place = found
            async with self._sessions.of(person_id) as session:
                reading = session.client.read_message_content(
                    place.message_id,
                    place.attachment_id,
                    account_id=place.account_id,
                    extension_id=place.extension_id,
                )
                async with reading as content:
                    answer = _streamed(content, place)
                    try:
                        with move_on_after(time_limits.DOWNLOAD_S):
                            await answer(scope, receive, send)
                    except RingCentralError:
                        _log.info("RingCentral ended a file early")  # the browser sees it by the length
        except RingCentralError as error:
            await _said(f"{in_words(error)}\n", 502)(scope, receive, send)
        except (DatabaseAway, NoSession) as error:
            await _said(f"{error}\n", 503)(scope, receive, send)


def _streamed(content: Content, place: AttachmentRef) -> Response:
    kind = labelled(content.content_type)
    ending = suffix(kind)
    is_harmless = ending != ".bin" and not kind.startswith("text/")
    headers = {
        **_HEADERS,
        # The sender's own name for the file is not used: a browser would believe its ending.
        "Content-Disposition": f'attachment; filename="{place.message_id}-{place.attachment_id}{ending}"',
    }
    if content.body_size is not None:
        headers["Content-Length"] = str(content.body_size)
    return StreamingResponse(
        content.aiter_bytes(), headers=headers, media_type=kind if is_harmless else "application/octet-stream"
    )


def _said(text: str, status: int) -> Response:
    return PlainTextResponse(text, status, _HEADERS)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
