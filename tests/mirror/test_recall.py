"""Every query finds exactly the messages that a reader of all records finds."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rc_mcp.mirror.contacts.book import NO_CONTACTS, Contacts
from rc_mcp.mirror.contacts.contact import Contact
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.mirror.search import MAX_LIMIT, MOST_COUNTED, search
from tests.mirror.corpus import emulated, filled, generated
from tests.mirror.oracle import Entry, Fits, Names, callers, full, named, plain, queries

_ALL_READ = 400
"""Of more hits than this, only the first page is compared, and their number."""


def expected(entries: Sequence[Entry], query: str, fits: Fits) -> list[str]:
    asks_for_deleted = "is:deleted" in query
    found = [e for e in entries if fits(e) and (asks_for_deleted or e.record["availability"] != "Deleted")]
    return [e.id for e in sorted(found, key=lambda e: (e.created, int(e.id)), reverse=True)]


def found(
    mirror: Mirror, mailbox: int, query: str, now: datetime, contacts: Contacts = NO_CONTACTS
) -> tuple[list[str], int]:
    """Return the ids of all pages and the total; only of the first page if there are many."""
    ids: list[str] = []
    cursor = None
    while True:
        page = search(mirror, mailbox, query, now, UTC, limit=MAX_LIMIT, cursor=cursor, contacts=contacts)
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


def test_a_contacts_name_finds_exactly_the_messages_of_its_numbers_and_of_its_name(tmp_path: Path) -> None:
    entries, now = generated(600)
    forms = ["+1212555{n:04d}", "(212) 555-{n:04d}", "1-212-555-{n:04d}", "tel:+1-212-555-{n:04d}"]
    book = {f"Client {k} Zoë": [forms[(n + k) % 4].format(n=n) for n in range(k, 140, 30)] for k in range(30)}
    contacts = Contacts([Contact((name,), tuple(numbers)) for name, numbers in book.items()])
    mirror, mailbox = filled(tmp_path, entries)
    names = Names(entries)
    with mirror:
        for part in ["client 7", "client 29 zoe", "ent 1", "zoë", "maria"]:
            mine = [some for name, some in book.items() if plain(part) in plain(name)]
            numbers = {full({"phoneNumber": number}) for some in mine for number in some}
            is_named = named(part, names, "from")

            def fits(e: Entry, numbers: set[str] = numbers, is_named: Fits = is_named) -> bool:
                return is_named(e) or any(full(caller) in numbers for caller in callers(e.record, "from"))

            right = expected(entries, "", fits)
            ids, total = found(mirror, mailbox, f'from:"{part}"', now, contacts)
            assert (part, total, ids) == (part, len(right), right[: len(ids)])
            assert total
