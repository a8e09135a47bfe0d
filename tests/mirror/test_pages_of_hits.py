"""Pages of hits: order, cursors, totals, snippets, and what was searched."""

import unicodedata
from datetime import UTC, timedelta

import pytest

from rc_mcp.mirror import search as module
from rc_mcp.mirror.errors import QueryError
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.mirror.search import MAX_LIMIT, Found, Sort, search
from tests.mirror.conftest import MAILBOX
from tests.mirror.messages import START, fax, text_message, voicemail

NOW = START + timedelta(days=1)


def page(mirror: Mirror, query: str, *, sort: Sort = "newest", limit: int = 20, cursor: str | None = None) -> Found:
    return search(mirror, MAILBOX, query, NOW, UTC, sort=sort, limit=limit, cursor=cursor)


def ids(found: Found) -> list[str]:
    return [hit.message.id for hit in found.hits]


def snippet_of(mirror: Mirror, query: str) -> str:
    hit = page(mirror, query).hits[0]
    assert hit.snippet is not None
    return hit.snippet


@pytest.mark.parametrize("sort", ["newest", "relevance"])
def test_pages_follow_each_other_although_messages_come_and_go(mirror: Mirror, sort: Sort) -> None:
    mirror.put(MAILBOX, [text_message(n, "apples", minutes=n) for n in range(1, 31)])
    first = page(mirror, "apples", sort=sort, limit=10)
    mirror.put(MAILBOX, [text_message(n, "apples", minutes=n) for n in range(31, 40)])
    second = page(mirror, "apples", sort=sort, limit=10, cursor=first.next)
    third = page(mirror, "apples", sort=sort, limit=10, cursor=second.next)
    assert [*ids(first), *ids(second), *ids(third)] == [str(n) for n in range(30, 0, -1)]
    assert third.next is None
    assert (first.total, third.total) == (30, 39)


def test_a_page_follows_a_message_that_is_gone(mirror: Mirror) -> None:
    mirror.put(MAILBOX, [text_message(n, "apples", minutes=n) for n in range(1, 7)])
    first = page(mirror, "apples", limit=3)
    mirror.erase(MAILBOX, ["4", "3"])
    mirror.put(MAILBOX, [text_message(100 + n, "apples", minutes=3 + n / 1_000) for n in range(1, 200)])  # it moves
    assert ids(page(mirror, "apples before:2026-11-01T12:03", cursor=None)) == ["2", "1"]
    rest = page(mirror, "apples", limit=MAX_LIMIT, cursor=first.next)
    assert ids(rest)[:2] == ["299", "298"]


def test_by_relevance_the_message_that_says_it_most_comes_first(mirror: Mirror) -> None:
    filler = "and many other words that nobody looks for in a long letter " * 5
    mirror.put(MAILBOX, [text_message(n, f"apples {filler}", minutes=n) for n in range(2, 9)])
    mirror.put(MAILBOX, [text_message(1, "apples apples apples")])
    assert ids(page(mirror, "apples", sort="relevance"))[0] == "1"
    assert ids(page(mirror, "apples", sort="newest"))[-1] == "1"
    assert ids(page(mirror, "type:sms", sort="relevance")) == ids(page(mirror, "type:sms"))


def test_by_relevance_hits_without_the_word_come_last(mirror: Mirror) -> None:
    mirror.put(MAILBOX, [text_message(1, "apples"), text_message(2, "pears", minutes=1), fax(3, minutes=2)])
    assert ids(page(mirror, "apples OR type:fax", sort="relevance")) == ["1", "3"]


def test_a_cursor_is_of_one_query_one_sort_and_this_copy(mirror: Mirror) -> None:
    mirror.put(MAILBOX, [text_message(n, "apples pears", minutes=n) for n in range(9)])
    cursor = page(mirror, "apples", limit=3).next
    assert cursor is not None
    changed = ("B" if cursor[0] == "A" else "A") + cursor[1:]
    others: list[tuple[str, Sort, str]] = [
        ("pears", "newest", cursor),
        ("apples", "relevance", cursor),
        *(("apples", "newest", wrong) for wrong in (changed, cursor[:-1], "", "é", "\0", "a", "{}", "A" * 10_000)),
    ]
    for query, sort, wrong in others:
        with pytest.raises(QueryError):
            page(mirror, query, sort=sort, cursor=wrong)
    mailbox = mirror.mailbox("~", "other")
    with pytest.raises(QueryError):
        search(mirror, mailbox, "apples", NOW, UTC, cursor=cursor)


@pytest.mark.parametrize("limit", [0, -1, MAX_LIMIT + 1])
def test_a_limit_is_one_to_fifty(mirror: Mirror, limit: int) -> None:
    with pytest.raises(QueryError):
        page(mirror, "apples", limit=limit)


def test_a_total_that_is_not_exact_says_so(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_COUNTED", 5)
    mirror.put(MAILBOX, [text_message(n, "apples", minutes=n) for n in range(5)])
    found = page(mirror, "apples", limit=3)
    assert (found.total, found.total_is_exact) == (5, True)
    mirror.put(MAILBOX, [text_message(9, "apples")])
    found = page(mirror, "apples", limit=3)
    assert (found.total, found.total_is_exact) == (5, False)
    assert not page(mirror, "-pears", limit=3).total_is_exact
    assert page(mirror, "apples").total == 6  # all are on one page


def test_an_answer_says_what_was_searched(mirror: Mirror) -> None:
    mirror.put(MAILBOX, [voicemail(1), text_message(2, "x", minutes=1)], {"synced_at": "2026-11-01T13:00:00Z"})
    coverage = page(mirror, "nothing").coverage
    assert (coverage.messages, coverage.contents_missing) == (2, 1)
    assert (coverage.date_from, coverage.synced_at) == (START, "2026-11-01T13:00:00Z")


def test_a_snippet_shows_the_hit_in_the_senders_words(mirror: Mirror) -> None:
    long = "so many words before it " * 40
    mirror.put(MAILBOX, [text_message(1, f"{long}the CAFÉ is open{long}"), text_message(2, "short", minutes=1)])
    mirror.put(MAILBOX, [voicemail(3, minutes=2), text_message(4, "", minutes=3), fax(5, minutes=4)])
    mirror.put_text(MAILBOX, "3", "32", f"{long} dem Straßenbahn-Fahrer {long}")
    mirror.put_text(
        MAILBOX, "5", "51", f"{'東京都の天気は晴れです。' * 50}請求書番号は七{'東京都の天気は晴れです。' * 50}"
    )
    assert "the CAFÉ is open" in snippet_of(mirror, "cafe")
    assert "the CAFÉ is open" in snippet_of(mirror, '"cafe is"')
    assert "the CAFÉ is open" in snippet_of(mirror, "caf*")
    assert "Straßenbahn-Fahrer" in snippet_of(mirror, '"strassenbahn fahrer"')
    assert "請求書番号" in snippet_of(mirror, "書番")
    assert snippet_of(mirror, "short") == "short"
    assert page(mirror, "from:maria -type:voicemail -type:fax").hits[0].snippet is None


def test_a_snippet_is_short_and_cuts_no_character_from_its_marks(mirror: Mirror) -> None:
    family, letter = "👩\u200d👩\u200d👧\u200d👦", "e\u0301\u0323"
    texts = [family * 100, letter * 300, "\ud83d\ude00" * 200, "a" * 500, f"{'x ' * 99}{family}", "a" + "\u0301" * 999]
    mirror.put(MAILBOX, [text_message(n, f"{text} apples {text}", minutes=n) for n, text in enumerate(texts)])
    for hit in page(mirror, "apples").hits:
        shown = hit.snippet
        assert shown is not None
        assert len(shown) <= 160
        if hit.message.id != "5":  # a thousand marks on one letter are cut
            inner = shown.strip("…")
            assert "apples" in shown
            assert unicodedata.category(inner[0]) not in {"Mn", "Cf"}
            assert inner[-1] != "\u200d"
