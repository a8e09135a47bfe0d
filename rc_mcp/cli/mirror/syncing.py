"""rc-mcp mirror sync: feeds the copy once, and shows how far it is."""

from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import click
from anyio import to_thread

from rc_mcp.cli.mirror.estimate import listing_s, texts_s
from rc_mcp.cli.mirror.shown import Shown, Step, shown_on
from rc_mcp.cli.mirror.state import lines_of, mailbox_state, print_state, state_of
from rc_mcp.cli.terminal import terminal
from rc_mcp.media.reading import has_ocr
from rc_mcp.mirror.errors import MirrorError
from rc_mcp.mirror.feed import Feed
from rc_mcp.mirror.following import only_feed
from rc_mcp.mirror.logins import mailbox_of
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.mirror.progress import progress_of
from rc_mcp.ringcentral import (
    APIError,
    MessageStoreClient,
    RateLimited,
    RingCentralError,
    Unauthorized,
    UnexpectedAnswer,
)
from rc_mcp.settings import Settings
from rc_mcp.views.error_texts import in_words
from rc_mcp.wiring import client_for, open_mirror, principal_for, transcriber_for

if TYPE_CHECKING:  # most users transcribe nothing
    from rc_mcp.media.transcription import Transcriber

FED_BY_ANOTHER = "Another process fetches messages for this copy now, so nothing was done here. The copy has:"
WAS_DAMAGED = (
    "The local copy was damaged. It was set aside, and a new one begins empty. rc-mcp mirror rebuild reads back what "
    "can be read of the damaged one; do that soon, because it is removed when RingCentral reports a purged message."
)
IS_OFF = (
    "RC_MCP_MIRROR is off here. Set it to on for a server that keeps the copy up to date and offers search_messages."
)
OCR_TAKES_LONGER = "Scanned pages take longer than RingCentral's limit: OCR reads them here, in some seconds each."
_LOOK_S = 0.5
"""Seconds between two looks at how far the feed is."""
_ATTEMPTS = 3
"""So many attempts without progress end the command."""

Key = tuple[str, str]
"""Account and extension of a mailbox in the copy."""


async def sync_all(settings: Settings) -> bool:
    """Feed the login's own mailbox, and those of the extensions that the operator allowed.

    If another process feeds the copy, only show what the copy has. Return False if a mailbox could not be fed.

    Raises:
        SettingsError, InvalidRequest: there are no credentials, or they cannot be used.
        RingCentralError: RingCentral refused the own mailbox, or could not be reached.
        MirrorError: the copy cannot be used.
        OSError: the state folder cannot be used.
    """
    principal = principal_for(settings)
    async with only_feed(settings.state_dir) as is_ours, client_for(settings) as client:
        if not is_ours:
            click.echo(FED_BY_ANOTHER)
            print_state(state_of(settings.state_dir, settings.mirror_key_command))
            return True
        with open_mirror(settings.state_dir, settings.mirror_key_command) as mirror:
            if mirror.was_damaged:
                click.echo(WAS_DAMAGED, err=True)
            feeds = await _feeds(client, mirror, principal, settings.extensions, transcriber_for(settings))
            is_complete = await _fed(feeds, mirror)
            for key, number in mirror.mailboxes().items():
                if key in feeds:
                    click.echo("\n".join(lines_of(mailbox_state(mirror, key, number))))
            if any(feed.was_damaged for feed in feeds.values()):
                click.echo(WAS_DAMAGED, err=True)
    if settings.mirror == "off":
        click.echo(IS_OFF)
    return is_complete


async def _feeds(
    client: MessageStoreClient,
    mirror: Mirror,
    principal: str,
    extensions: Collection[str],
    transcriber: "Transcriber | None",
) -> dict[Key, Feed]:
    feeds: dict[Key, Feed] = {}
    for extension_id in ("~", *sorted(extensions)):
        key = await mailbox_of(client, mirror, principal, extension_id=extension_id)
        feed = Feed(client, mirror, extension_id=extension_id, known_as=key, transcriber=transcriber)
        feeds.setdefault(key, feed)
    return feeds


async def _fed(feeds: dict[Key, Feed], mirror: Mirror) -> bool:
    """Feed each mailbox: messages of all, then texts of all. Return False if one could not be read.

    Raises:
        RingCentralError, MirrorError, OSError: no mailbox can be fed now.
    """
    refused: set[Key] = set()
    with shown_on(terminal()) as shown:
        for step in (_sync_messages, _fetch_texts):
            for key, feed in feeds.items():
                if key in refused:
                    continue
                title = f" of extension {key[1]}" if len(feeds) > 1 else ""
                try:
                    await step(feed, mirror, key, shown, title)
                except APIError as error:
                    if len(feeds) == 1 or isinstance(error, Unauthorized | RateLimited):
                        raise
                    refused.add(key)
                    shown.say(f"Extension {key[1]} was not copied. {in_words(error)}")
    return not refused


async def _sync_messages(feed: Feed, mirror: Mirror, key: Key, shown: Shown, title: str) -> None:
    title = f"Messages{title}"

    def look() -> Step | None:
        listing = progress_of(mirror, mirror.mailbox(*key)).listing
        if listing is None:
            return None
        left = max(0, (listing.total or 0) - listing.done)
        return Step(title, listing.done, listing.total, listing_s(left))

    await _watched(feed.sync, look, shown, (RateLimited,))
    messages = (await to_thread.run_sync(lambda: mirror.status(mirror.mailbox(*key)))).messages
    shown.show(Step(title, messages, messages, 0))


async def _fetch_texts(feed: Feed, mirror: Mirror, key: Key, shown: Shown, title: str) -> None:
    def missing() -> int:
        return mirror.status(mirror.mailbox(*key)).contents_missing

    total = await to_thread.run_sync(missing)
    if total and has_ocr():
        shown.say(OCR_TAKES_LONGER)

    def look() -> Step | None:
        left = missing()
        return Step(f"Texts{title}", max(0, total - left), max(total, left), texts_s(left)) if total else None

    # After some attachments failed, others may not.
    await _watched(feed.texts, look, shown, (APIError, UnexpectedAnswer))


async def _watched(
    act: Callable[[], Awaitable[object]],
    look: Callable[[], Step | None],
    shown: Shown,
    goes_on: tuple[type[RingCentralError], ...],
) -> None:
    """Do it, and show how far it is. After an answer 429, wait as long as it says, and go on.

    Args:
        goes_on: errors after which another attempt gets further.

    Raises:
        RingCentralError, MirrorError, OSError: it cannot go on now, or did not get further in some attempts.
    """
    attempts, before = 0, None
    while True:
        try:
            await _shown_while(act, look, shown)
        except goes_on as error:
            now = await to_thread.run_sync(look)
            attempts = attempts + 1 if now == before else 1
            before = now
            if attempts == _ATTEMPTS or isinstance(error, Unauthorized):
                raise
            if isinstance(error, RateLimited):
                shown.say(f"RingCentral allows no request for {error.wait_s} s. Waiting.")
                await _wait(error.wait_s)
        else:
            return


async def _shown_while(act: Callable[[], Awaitable[object]], look: Callable[[], Step | None], shown: Shown) -> None:
    fault: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_look_on, look, shown)
        try:
            await act()
        except (RingCentralError, MirrorError, OSError) as error:  # bare, not in a group of errors
            fault = error
        tasks.cancel_scope.cancel()
    if fault:
        raise fault
    await _look(look, shown)


async def _wait(seconds: float) -> None:
    await anyio.sleep(seconds)


async def _look_on(look: Callable[[], Step | None], shown: Shown) -> None:
    while True:
        await _look(look, shown)
        await anyio.sleep(_LOOK_S)


async def _look(look: Callable[[], Step | None], shown: Shown) -> None:
    with suppress(MirrorError):  # the feed meets it too
        if step := await to_thread.run_sync(look):
            shown.show(step)
