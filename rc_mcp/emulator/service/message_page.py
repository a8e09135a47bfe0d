"""The page of one message, at `/messages/{id}` of the status page's address: its text, recording and pages.

Senders' files never become documents of this address. Recordings, and the pictures that `DrawPages` returns, are part
of the page as `data:` URLs; the browser may load nothing else and run nothing. A PDF, an SVG or a web page is not sent.
"""

from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from starlette.responses import Response

from rc_mcp.emulator.dates import to_wire
from rc_mcp.emulator.errors import Json
from rc_mcp.emulator.mailbox.lifecycle import is_rendering
from rc_mcp.emulator.mailbox.records import MessageRecord
from rc_mcp.emulator.mailbox.store import Store
from rc_mcp.emulator.service.html import Html, facts, foreign, html, html_page
from rc_mcp.emulator.service.status_page import CSS, HEADER, state_of

PATH = "/messages/"
_MAY_LOAD = "; img-src data:; media-src data:"
_MOST_ATTACHMENTS = 20
_MOST_BYTES = 5_000_000
"""Of an attachment that the page shows."""
_MOST_CHARS = 20_000
_SOUNDS = {
    "audio/mpeg": "audio/mpeg",
    "audio/mp3": "audio/mpeg",
    "audio/x-wav": "audio/wav",
    "audio/wav": "audio/wav",
    "audio/vnd.wave": "audio/wav",
}
"""Content types that browsers play, by the label of the attachment."""


@dataclass(frozen=True)
class Picture:
    """A page, as PNG or JPEG in base64."""

    content_type: str
    base64: str


DrawPages = Callable[[bytes], Awaitable[Sequence[Picture]]]
"""Draws the first pages of an untrusted fax, or a picture, safely. Files of other kinds have no pages."""


async def message_page(mailboxes: Mapping[str, Store], message_id: str, draw_pages: DrawPages | None) -> Response:
    """Return the page of a message in any mailbox: ids are unique across mailboxes."""
    found = ((store, message) for store in mailboxes.values() if (message := store.find(message_id)))
    store, message = next(found, (None, None))
    if store is None or message is None:
        gone = Html("<p>This message does not exist. It may have been removed after a purge.</p>")
        return _page("No such message", [gone], status=404)
    content = [_facts(message), _text(message)]
    if message.availability == "Purged":
        content.append(Html("<p>A purged message has no content.</p>"))
    elif is_rendering(message, store.now_ms()):
        content.append(Html("<p>The pages of this fax are not ready yet.</p>"))
    else:
        files: list[Json] = [item for item in message.details["attachments"] if not _is_body(item, message)]
        shown = files[:_MOST_ATTACHMENTS]
        content += [await _attachment(item, store.bytes_of(message, item), draw_pages) for item in shown]
        if len(files) > _MOST_ATTACHMENTS:
            content.append(Html(f"<p>{len(files) - _MOST_ATTACHMENTS} more attachments are not shown.</p>"))
    return _page(f"{message.type} {message.id}", content)


def _page(title: str, content: Sequence[Html], status: int = 200) -> Response:
    back = Html('<p><a href="/">All messages</a></p>')
    body = "\n".join((HEADER, back, f"<h2>{html(title)}</h2>", *content))
    return html_page(f"{html(title)} - RingCentral emulator", CSS, body, may_load=_MAY_LOAD, status=status)


def _facts(message: MessageRecord) -> Html:
    details = message.details
    shown = {
        "Created, UTC": to_wire(message.created_ms)[:19].replace("T", " "),
        "State": state_of(message),
        "Direction": message.direction,
        "From": _caller(details.get("from", {})),
        "To": ", ".join(map(_caller, details.get("to", []))),
        "Status": details.get("messageStatus", ""),
        "Pages": str(details.get("faxPageCount", "")),
        "Transcript": details.get("vmTranscriptionStatus", ""),
    }
    return facts({name: foreign(value, 500) for name, value in shown.items() if value})


def _caller(caller: Json) -> str:
    return " ".join(str(caller[key]) for key in ("name", "phoneNumber", "extensionNumber") if caller.get(key))


def _text(message: MessageRecord) -> Html:
    written = [message.details.get(key) or "" for key in ("subject", "coverPageText")]
    return Html("".join(f"<section>{_lines(text)}</section>" for text in written if text))


def _is_body(attachment: Json, message: MessageRecord) -> bool:
    """Return whether an attachment only repeats the text of a message."""
    return attachment.get("type") == "Text" and bool(message.details.get("subject"))


async def _attachment(attachment: Json, data: bytes, draw_pages: DrawPages | None) -> Html:
    label = str(attachment.get("contentType") or "").partition(";")[0].strip().lower()
    title = foreign(" ".join(filter(None, (str(attachment.get("type") or ""), label, attachment.get("fileName")))), 200)
    shown = await _content(label, data, draw_pages)
    return Html(f"<section><h2>{title}</h2>{shown}<p>{len(data):,} bytes</p></section>")


async def _content(label: str, data: bytes, draw_pages: DrawPages | None) -> Html:
    if len(data) > _MOST_BYTES:
        return Html("<p>It is too large for this page.</p>")
    if label in _SOUNDS:
        return Html(f'<audio controls src="{_data_url(_SOUNDS[label], b64encode(data).decode())}"></audio>')
    if label == "text/plain":
        return _lines(data.decode(errors="replace"))
    pictures = await draw_pages(data) if draw_pages else ()
    if not pictures:
        return Html("<p>This page cannot show it. The API has it.</p>")
    return Html(
        "".join(f'<img alt="page {n}" src="{_data_url(p.content_type, p.base64)}">' for n, p in enumerate(pictures, 1))
    )


def _data_url(content_type: str, base64: str) -> str:
    return escape(f"data:{content_type};base64,{base64}")


def _lines(text: str) -> Html:
    """Return each line of an untrusted text as a paragraph of its own."""
    lines = [foreign(line, _MOST_CHARS) for line in text[:_MOST_CHARS].splitlines()]
    cut = "<p>The rest is not shown.</p>" if len(text) > _MOST_CHARS else ""
    return Html("".join(f'<p class="text">{line}</p>' for line in lines) + cut)
