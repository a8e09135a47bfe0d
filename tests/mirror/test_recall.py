"""Every query finds exactly the messages that a reader of all records finds."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rc_mcp.mirror.mirror import Mirror
from rc_mcp.mirror.search import MAX_LIMIT, MOST_COUNTED, search
from tests.mirror.corpus import emulated, filled, generated
from tests.mirror.oracle import Entry, Fits, queries

_ALL_READ = 400
"""Of more hits than this, only the first page is compared, and their number."""


def expected(entries: Sequence[Entry], query: str, fits: Fits) -> list[str]:
    asks_for_deleted = "is:deleted" in query
    found = [e for e in entries if fits(e) and (asks_for_deleted or e.record["availability"] != "Deleted")]
    return [e.id for e in sorted(found, key=lambda e: (e.created, int(e.id)), reverse=True)]


def found(mirror: Mirror, mailbox: int, query: str, now: datetime) -> tuple[list[str], int]:
    """Return the ids of all pages and the total; only of the first page if there are many."""
    ids: list[str] = []
    cursor = None
    while True:
        page = search(mirror, mailbox, query, now, UTC, limit=MAX_LIMIT, cursor=cursor)
        assert page.total_is_exact or page.total == MOST_COUNTED
        ids += [hit.message.id for hit in page.hits]
        cursor = page.next
        if cursor is None or page.total > _ALL_READ:
            return ids, page.total


@pytest.mark.parametrize(
    ("name", "each"), [("office", 12), ("recorded", 12), ("hostile", 12), ("busy", 4), ("generated", 12)]
)
def test_a_query_finds_exactly_the_messages_that_fit(name: str, each: int, tmp_path: Path) -> None:
    entries, now = generated(1_500) if name == "generated" else emulated(name)  # pyright: ignore[reportArgumentType]
    mirror, mailbox = filled(tmp_path, entries)
    asked = 0
    with mirror:
        for query, fits in queries(entries, now, seed=7, each=each):
            right = expected(entries, query, fits)
            ids, total = found(mirror, mailbox, query, now)
            assert (query, total) == (query, min(len(right), MOST_COUNTED))
            assert (query, ids) == (query, right[: len(ids)])
            asked += 1
    assert asked > 30 * each
