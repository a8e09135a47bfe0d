"""The steps of the tour, in order, run by `take_tour` at the end.

A script makes the calls that an assistant would make. Every claim is checked against the emulator's own mailbox, never
against the server's answers.
"""

import base64
import io
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import anyio
import pypdfium2  # pyright: ignore[reportMissingTypeStubs]
from mcp import Client, MCPError
from mcp.types import BlobResourceContents, ContentBlock, ImageContent, TextContent
from PIL import Image, ImageChops

from rc_mcp import time_limits
from rc_mcp.cli.demo.screen import Row, Screen, rows
from rc_mcp.cli.demo.stage import Mailbox, Person, Reply, Stage, StoppedError, stage
from rc_mcp.tools import SEARCH, tools_for
from rc_mcp.views.untrusted_text import counted

NO = Reply("No.", "decline")
YES = Reply("Yes, do it.", "accept", True)
NOT_THE_PHRASE = Reply('(types) "yes, all of it"', "accept", "yes, all of it")

SPOKEN, FAXED = "swollen", "referral"
"""A word of one voicemail, and a word on one fax that is not a scan."""

UNTOUCHED: Mailbox = {}
"""The changes of an unchanged mailbox."""

StructuredContent = dict[str, Any]

_pdfium: Any = pypdfium2
_COPY_STEP_S = 0.5


@dataclass(frozen=True)
class Tour:
    """The state that every step uses."""

    stage: Stage
    screen: Screen
    client: Client
    person: Person

    async def call(self, tool: str, **arguments: object) -> StructuredContent:
        """Call one of the server's tools, as an assistant would."""
        return json.loads(_text(await self._content(tool, arguments)))

    async def change(self, tool: str, reply: Reply | None = None, **arguments: object) -> tuple[str, Mailbox]:
        """Call a tool that changes messages, and return its status and the changes in the mailbox itself.

        Args:
            reply: the user's answer to the server's question; None if it must not ask.
        """
        before = self.stage.mailbox()
        self.person.next_reply = reply
        answer = await self.call(tool, **arguments)
        if not self.person.was_asked:
            raise StoppedError(f"the server did not ask the user; its answer is {answer}")
        self.screen.server_says(answer["status"], answer["said"])
        return answer["status"], self.stage.changes_since(before)

    async def look(self, message_id: str) -> tuple[StructuredContent, list[bytes]]:
        """Read a fax as page images."""
        content = await self._content("read_message_content", {"message_id": message_id, "form": "pages"})
        pictures = [base64.b64decode(block.data) for block in content if isinstance(block, ImageContent)]
        if not pictures:
            raise StoppedError(_text(content))
        return json.loads(_text(content)), pictures

    async def original(self, message_id: str) -> bytes:
        """Return the original file of the fax, read through its resource URI."""
        message = (await self.call("read_message", message_id=[message_id]))["messages"][0]
        content = (await self.client.read_resource(message["attachments"][0]["uri"])).contents[0]
        if not isinstance(content, BlobResourceContents):
            raise StoppedError("the fax is not a file")
        return base64.b64decode(content.blob)

    async def _content(self, tool: str, arguments: dict[str, object]) -> list[ContentBlock]:
        self.screen.call(tool, arguments)
        return await self._answered(tool, arguments)

    async def _answered(self, tool: str, arguments: dict[str, object]) -> list[ContentBlock]:
        result = await self.client.call_tool(tool, arguments)
        if result.is_error:
            raise StoppedError(_text(result.content))
        return result.content

    async def until_found(self, query: str) -> StructuredContent:
        """Search until something is found, or the local copy is complete, and return the answer."""
        with anyio.move_on_after(time_limits.DEMO_COPY_S):
            while True:
                answer = json.loads(_text(await self._answered(SEARCH, {"query": query})))
                coverage = answer["coverage"]
                if answer["total"] or (coverage.get("synced_at") and not coverage["contents_missing"]):
                    self.screen.call(SEARCH, {"query": query})
                    return answer
                await anyio.sleep(_COPY_STEP_S)
        raise StoppedError(f"the local copy was not complete after {time_limits.DEMO_COPY_S:.0f} s")

    def attachment(self, row: Row, kind: str) -> StructuredContent:
        """Return the emulator's own record of an attachment of this kind, with its true size."""
        store = self.stage.emulator.store
        record = store.message(row["id"]) or {}
        found = next(a for a in record["attachments"] if a["type"] == kind)
        return {**found, "size": len(store.content(row["id"], found["id"]) or b"")}

    def having(self, word: str, message_type: str) -> set[str]:
        """Return the messages of this type that have the word in an attachment, in the emulator's own files."""
        store = self.stage.emulator.store
        return {
            str(record["id"])
            for record in store.messages()
            if record["type"] == message_type
            for attachment in record["attachments"]
            if word
            in _words_in(attachment["contentType"], store.content(record["id"], attachment["id"]) or b"").lower()
        }

    def records_have(self, word: str, ids: Iterable[str]) -> bool:
        """Return whether the emulator's record of one of these messages has the word: a list would show it."""
        return any(word in json.dumps(self.stage.emulator.store.message(i)).lower() for i in ids)


async def connect(tour: Tour) -> None:
    tour.screen.step("An assistant connects")
    tour.screen.say("It starts rc-mcp as a separate program and asks for its tools.")
    tools = [tool.name for tool in (await tour.client.list_tools()).tools]
    tour.screen.names(tools)
    ours = [tool.name for tool in tools_for("admin", with_search=True)]
    tour.screen.check(
        f"{len(tools)} tools: a search, and everything that RingCentral's Message Store can do",
        expected=ours,
        found=tools,
    )


async def look_around(tour: Tour) -> list[Row]:
    tour.screen.step("New messages")
    before = tour.stage.mailbox()
    listing = await tour.call("list_messages")
    summary, listed = listing["summary"], rows(listing["messages"])
    unread = [row for row in listed if row["state"] == "Unread"]
    kinds = ", ".join(f"{n} {kind}" for kind, n in summary["by_type"].items())
    tour.screen.say(f"{summary['messages']} messages in the last 24 hours: {kinds}. {len(unread)} are unread:")
    tour.screen.messages(unread)
    since = _time(listing["window"]["date_from"])
    truly = [i for i, m in before.items() if m["availability"] == "Alive" and _time(m["creationTime"]) >= since]
    tour.screen.check(
        f"all {len(truly)} messages of that time were listed once", expected=truly, found=[row["id"] for row in listed]
    )
    tour.screen.check("listing marked no message as read", expected=UNTOUCHED, found=tour.stage.changes_since(before))
    return unread


async def hear_voicemail(tour: Tour, unread: list[Row]) -> Row:
    tour.screen.step("A voicemail")
    row = next(row for row in unread if row["type"] == "VoiceMail" and not row.get("transcription"))
    tour.screen.say(f"{row['untrusted_who']} spoke for {row['seconds']} seconds. RingCentral wrote it down:")
    written = await tour.call("read_message_content", message_id=row["id"])
    words = written["untrusted"]["text"]
    tour.screen.quote(words)
    truth = tour.attachment(row, "AudioTranscription")
    tour.screen.check("the transcript is whole", expected=truth["size"], found=len(words.encode()))
    truth = tour.attachment(row, "AudioRecording")
    sound = await tour.call("read_message_content", message_id=row["id"], form="file")
    tour.screen.check(
        f"the recording can be saved too: {sound['content_type']}, {sound['bytes']:,} bytes",
        expected=(truth["contentType"], truth["size"], truth["size"]),
        found=(sound["content_type"], sound["bytes"], tour.stage.size_of(sound["path"])),
    )
    return row


async def mark_read(tour: Tour, voicemail: Row) -> None:
    tour.screen.step("Mark it read")
    tour.screen.check(
        "only this message is marked read",
        expected=("done", {voicemail["id"]: {"readStatus": "Read"}}),
        found=await tour.change("update_message", message_id=[voicemail["id"]], read_status="Read"),
    )


async def read_fax(tour: Tour, unread: list[Row]) -> None:
    tour.screen.step("A fax")
    row = next(row for row in unread if row["type"] == "Fax")
    tour.screen.say(f"From {row['untrusted_who']}. It is a scan, so the assistant gets page images:")
    answer, pictures = await tour.look(row["id"])
    page = Image.open(io.BytesIO(pictures[0]))
    tour.screen.say(f"{answer['said']} {page.width} x {page.height} pixels, {len(pictures[0]):,} bytes. From its top:")
    for strip in ((0.17, 0.064, 0.60, 0.094), (0.08, 0.175, 0.60, 0.21)):
        left, top, right, bottom = strip
        tour.screen.picture(page.crop((left * page.width, top * page.height, right * page.width, bottom * page.height)))
    fax = tour.stage.emulator.store.message(row["id"]) or {}
    sent = Image.open(io.BytesIO(await tour.original(row["id"])))
    tour.screen.check(
        f"{counted(len(pictures), 'image')} of the page that was sent, the same at this size",
        expected=(fax["faxPageCount"], True),
        found=(len(pictures), _look_alike(page, sent)),
    )


def _look_alike(shown: Image.Image, sent: Image.Image) -> bool:
    """Return whether every pixel is about as dark as in the original."""
    there = sent.convert("L").resize(shown.size, Image.Resampling.LANCZOS)
    darkest = ImageChops.difference(shown.convert("L"), there).getextrema()[1]
    return isinstance(darkest, int | float) and darkest < 32


async def find_old_texts(tour: Tour, unread: list[Row]) -> list[str]:
    tour.screen.step("Delete old texts: the user declines")
    courier = next(row for row in unread if "Parcels" in row["untrusted_who"])
    listing = await tour.call("list_messages", conversation_id=courier["conversation_id"], date_from="8w", date_to="2d")
    tour.screen.say(
        f"{listing['page']['total_messages']} old texts from {courier['untrusted_who']}. "
        "The assistant wants to delete them. rc-mcp first asks the user:"
    )
    return [row["id"] for row in rows(listing["messages"])]


async def say_no(tour: Tour, ids: list[str]) -> None:
    found = await tour.change("delete_message", NO, message_id=ids)
    tour.screen.check("no message was changed", expected=("declined", UNTOUCHED), found=found)


async def say_yes(tour: Tour, ids: list[str]) -> None:
    tour.screen.step("Delete old texts again: the user agrees")
    tour.screen.check(
        f"those {len(ids)} are deleted, and no other message changed",
        expected=("done", {i: {"availability": "Deleted"} for i in ids}),
        found=await tour.change("delete_message", YES, message_id=ids),
    )


async def undo(tour: Tour, ids: list[str]) -> None:
    tour.screen.step("Undo")
    tour.screen.check(
        f"all {len(ids)} are restored",
        expected=("done", {i: {"availability": "Alive"} for i in ids}),
        found=await tour.change("patch_message", message_id=ids, availability="Alive"),
    )


async def refuse_purge(tour: Tour, ids: list[str]) -> None:
    tour.screen.step("Purge: the user must type a phrase")
    tour.screen.say("A purge is permanent, so the user must type a phrase exactly.")
    found = await tour.change("delete_message", NOT_THE_PHRASE, message_id=ids, purge=True)
    tour.screen.check("no message was purged", expected=("declined", UNTOUCHED), found=found)


async def purge_without_asking(tour: Tour, ids: list[str]) -> None:
    tour.screen.step("An assistant that cannot ask the user")
    tour.screen.say("This assistant cannot show questions, and tries to purge anyway.")
    before = tour.stage.mailbox()
    async with tour.stage.client() as client:
        unattended = replace(tour, client=client)
        first = await unattended.call("delete_message", message_id=ids, purge=True)
        tour.screen.server_says(first["status"], f"{first['said']} {first['next']}")
        tour.screen.say("It claims that the user agreed:")
        second = await unattended.call("delete_message", message_id=ids, purge=True, plan_id=first["plan_id"])
        tour.screen.server_says(second["status"], second["said"])
    tour.screen.check(
        "still no message was purged",
        expected=("confirmation_required", "refused", UNTOUCHED),
        found=(first["status"], second["status"], tour.stage.changes_since(before)),
    )


async def find_by_words(tour: Tour) -> None:
    tour.screen.step("Find messages by their words")
    tour.screen.say(
        "RingCentral cannot search for words. If the operator wants it, rc-mcp keeps a local copy of the mailbox and "
        "searches that. It has been filling since the start: transcripts first. RingCentral allows 40 attachments a "
        "minute, and the assistant's own requests go first, so it may need some more seconds."
    )
    for message_type, where, word in (("VoiceMail", "spoken in it", SPOKEN), ("Fax", "on its page", FAXED)):
        answer = await tour.until_found(f"type:{message_type.lower()} {word}")
        found = rows(answer["messages"])
        for row in found:
            tour.screen.quote(f"{row['untrusted_who']}: {row['untrusted_snippet']}")
        ids = [row["id"] for row in found]
        tour.screen.check(
            f'the {message_type.lower()} was found by "{word}", which is only {where}',
            expected=(sorted(tour.having(word, message_type)), False),
            found=(sorted(ids), not ids or tour.records_have(word, ids)),
        )


def _words_in(content_type: str, content: bytes) -> str:
    """Return the text of a transcript, or of a PDF. Scans and recordings have none."""
    if content_type.startswith("text/"):
        return content.decode()
    if content_type != "application/pdf":
        return ""
    return " ".join(page.get_textpage().get_text_bounded() for page in _pdfium.PdfDocument(content))


def count_requests(tour: Tour) -> None:
    tour.screen.step("Requests to RingCentral")
    requests = tour.stage.emulator.requests
    logins = sum(r.path.endswith("/oauth/token") for r in requests)
    methods = ", ".join(f"{n} {method}" for method, n in Counter(r.method for r in requests).most_common())
    tour.screen.say(f"{len(requests)} requests: {methods}. {logins} of them were logins.")
    refused = [f"{r.method} {r.path}: {r.status}" for r in requests if r.status >= 300]
    tour.screen.check("no request was refused; RingCentral's rate limits applied", expected=[], found=refused)
    deletes = sum(r.method == "DELETE" for r in requests)
    tour.screen.check("only one delete request: the one that the user approved", expected=1, found=deletes)


async def take_tour(screen: Screen, played_on: AbstractAsyncContextManager[Stage] | None = None) -> None:
    """Run all steps on `screen`, which counts claims that hold and claims that fail.

    Args:
        played_on: the emulator and the server; by default from `stage()`.
    """
    _introduce(screen)
    async with played_on or stage() as on:
        try:
            await _walk(on, screen)
        except* (StoppedError, MCPError, OSError) as stopped:
            screen.fail(f"the tour stopped: {_first(stopped)}")
            on.log.seek(0)
            screen.quote(on.log.read()[-2000:])
    _conclude(screen)


async def _walk(on: Stage, screen: Screen) -> None:
    person = Person(screen)
    async with on.client(person) as client:
        tour = Tour(on, screen, client, person)
        await connect(tour)
        unread = await look_around(tour)
        voicemail = await hear_voicemail(tour, unread)
        await mark_read(tour, voicemail)
        await read_fax(tour, unread)
        old = await find_old_texts(tour, unread)
        await say_no(tour, old)
        await say_yes(tour, old)
        await undo(tour, old)
        await refuse_purge(tour, old)
        await purge_without_asking(tour, old)
        await find_by_words(tour)
        count_requests(tour)


def _introduce(screen: Screen) -> None:
    screen.step("rc-mcp: a guided tour")
    screen.say("rc-mcp lets an AI assistant use a RingCentral mailbox, and asks the user before it deletes messages.")
    screen.say(
        "The mailbox is made up and RingCentral is emulated: you need no account and no key. A script instead of an AI "
        "makes the assistant's calls (>). The server is the real one. "
        f"{screen.tick} means: checked against the mailbox itself."
    )


def _conclude(screen: Screen) -> None:
    screen.step("The end")
    if screen.failed:
        screen.say(f"{screen.held} claims hold. {screen.failed} failed: see {screen.cross} above.")
    else:
        screen.say(f"All {screen.held} claims hold. rc-mcp install --help shows how to connect your own assistant.")
        screen.say("rc-mcp serve --http --demo shows such a mailbox in a browser.")


def _text(content: Sequence[ContentBlock]) -> str:
    return "".join(block.text for block in content if isinstance(block, TextContent))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _first(errors: BaseExceptionGroup[Exception]) -> Exception:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
