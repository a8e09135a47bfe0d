"""The query language: what a query means, and which queries are refused."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rc_mcp.mirror.errors import QueryError
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.mirror.query import (
    MAX_CHARS,
    MAX_DEPTH,
    MAX_TERMS,
    OPERATORS,
    And,
    Created,
    Node,
    Not,
    Or,
    People,
    Tagged,
    Words,
    parse,
)
from rc_mcp.mirror.search import search
from rc_mcp.ringcentral import Message
from tests.mirror.conftest import MAILBOX, Ids
from tests.mirror.corpus import generated
from tests.mirror.messages import text_message

NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime(2026, 11, 23, 15, tzinfo=UTC)


def meaning(query: str) -> Node:
    return parse(query, NOW, NEW_YORK)


def ms(year: int, month: int, day: int, hour: int = 0) -> int:
    return round(datetime(year, month, day, hour, tzinfo=NEW_YORK).timestamp() * 1_000)


A, B, C = Words(("a",)), Words(("b",)), Words(("c",))


@pytest.mark.parametrize(
    ("query", "node"),
    [
        ("a b", And((A, B))),
        ("a OR b c", And((Or((A, B)), C))),
        ("a b OR c", And((A, Or((B, C))))),
        ("(a b) OR c", Or((And((A, B)), C))),
        ("a AND b", And((A, B))),
        ("a NOT b", And((A, Not(B)))),
        ("-a", Not(A)),
        ("-(a b)", Not(And((A, B)))),
        ("a or b", And((A, Words(("or",)), B))),
        ('"a b" c', And((Words(("a", "b")), C))),
        ("“a b” c", And((Words(("a", "b")), C))),
        ('"a b', Words(("a", "b"))),
        ("(a", A),
        ("a)", A),
        ("a & b - !!", And((A, B))),
        ("e-mail*", Words(("e", "mail"), prefix=True)),
        ('"a*"', A),
        ("10:30", Words(("10", "30"))),
        ("https://x.y", Words(("https", "x", "y"))),
        ("std::b", Words(("std", "b"))),
        ("note: b", And((Words(("note",)), B))),
        ('"from:a"', Words(("from", "a"))),
        ("FROM:a", People(("f",), "a")),
        ('from:"a b"', People(("f",), "a b")),
        ("from:(a OR b)", Or((People(("f",), "a"), People(("f",), "b")))),
        ("to:(503) 555-0134 b", And((People(("t",), "(503) 555-0134"), B))),
        ("with:+1 503 555 0134 200", And((People(("f", "t"), "+1 503 555 0134"), Words(("200",))))),
        ("to:me", Tagged(("inbound",))),
        ("type:(fax OR SMS)", Or((Tagged(("typefax",)), Tagged(("typesms",))))),
        ("number:0134", People(("f", "t"), "0134", numbers_only=True)),
        ("5550134", Or((Words(("5550134",)), People(("f", "t"), "5550134", numbers_only=True)))),
    ],
)
def test_a_query_means(query: str, node: Node) -> None:
    assert meaning(query) == node


@pytest.mark.parametrize(
    ("query", "node"),
    [
        ("after:2026-11-20", Created(since_ms=ms(2026, 11, 20))),  # that day is included, as in Gmail
        ("before:2026-11-20", Created(until_ms=ms(2026, 11, 20))),  # that day is not, as in Gmail
        ("before:2026/11/2", Created(until_ms=ms(2026, 11, 2))),
        ("after:2026-12", Created(since_ms=ms(2026, 12, 1))),
        ("before:2026", Created(until_ms=ms(2026, 1, 1))),
        ("after:today", Created(since_ms=ms(2026, 11, 23))),
        ("date:yesterday", Created(ms(2026, 11, 22), ms(2026, 11, 23))),
        ("during:2026-11-01", Created(ms(2026, 11, 1), ms(2026, 11, 2))),  # a day of 25 hours
        ("during:2026-12", Created(ms(2026, 12, 1), ms(2027, 1, 1))),
        ("during:2025", Created(ms(2025, 1, 1), ms(2026, 1, 1))),
        ("date:2026-11-20..2026-11-21", Created(ms(2026, 11, 20), ms(2026, 11, 22))),
        ("date:2026-11-20..", Created(since_ms=ms(2026, 11, 20))),
        ("date:..2026-11", Created(until_ms=ms(2026, 12, 1))),
        ("after:2026-11-20T14:00Z", Created(since_ms=ms(2026, 11, 20, 9))),
        ("after:2026-11-20T09:00", Created(since_ms=ms(2026, 11, 20, 9))),
        ("newer_than:2d", Created(since_ms=round((NOW - timedelta(days=2)).timestamp() * 1_000))),
        ('older_than:"24h"', Created(until_ms=round((NOW - timedelta(hours=24)).timestamp() * 1_000))),
    ],
)
def test_a_date_means(query: str, node: Node) -> None:
    assert meaning(query) == node


@pytest.mark.parametrize(
    ("query", "nearest"), [("form:a", "from"), ("befor:2026", "before"), ("newer:1d", "newer_than")]
)
def test_an_unknown_operator_is_refused_with_the_nearest(query: str, nearest: str) -> None:
    with pytest.raises(QueryError, match=f"nearest is {nearest}:"):
        meaning(query)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("type:letter", ["voicemail", "fax", "sms", "pager"]),
        ("in:spam", ["inbox", "sent", "anywhere"]),
        ("is:starred", ["unread", "read", "deleted"]),
        ("has:drive", ["attachment", "transcript", "pages", "picture"]),
        ("newer_than:6m", ["7d", "months"]),
        ("older_than:1y", ["7d", "months"]),
        ("newer_than:2026-01-01", ["7d"]),
        ("before:7d", ["older_than"]),
        ("after:2026-13-01", ["2026-11-23"]),
        ("after:0000", ["2026-11-23"]),
        ("date:..", ["2026-11-23"]),
        ("number:12", ["3 digits"]),
        ("number:maria", ["3 digits"]),
        ("from:!!", ["name"]),
        ("from: maria", ["from:"]),
        ('from:""', ["from:"]),
        ("OR a", ["OR"]),
        ("a OR", ["OR"]),
        ("(a OR ) b", ["OR"]),
        ("*", ["in:anywhere"]),
        ("a*b", ["*"]),
        ("", ["in:anywhere"]),
        ("-", ["in:anywhere"]),
        ("?! ()", ["in:anywhere"]),
        ("a" * (MAX_CHARS + 1), [f"{MAX_CHARS:,}"]),
        ("a " * (MAX_TERMS + 1), [str(MAX_TERMS)]),
        ("(" * (MAX_DEPTH + 1) + "a", [str(MAX_DEPTH)]),
    ],
)
def test_a_query_that_cannot_be_read_is_refused_with_what_can(query: str, names: list[str]) -> None:
    with pytest.raises(QueryError) as refused:
        meaning(query)
    assert [name for name in names if name not in str(refused.value)] == []


def test_the_largest_query_can_be_searched(ids: Ids) -> None:
    terms = " OR ".join(["(b OR c)", "-a*", "from:x", "before:2026"] * (MAX_TERMS // 8))
    assert ids("(" * (MAX_DEPTH - 1) + f"x {terms}") == []
    assert ids("-(" * MAX_DEPTH + "x") == []
    assert ids("NOT " * (MAX_CHARS // 4 - 1) + "x") == []
    assert ids("東" * MAX_CHARS) == []


_PIECES = st.sampled_from(
    [
        *(f"{name}:" for name in OPERATORS),
        *("fax", "inbox", "unread", "pages", "2026-11-01", "7d", "maria", "0134", "me", "2026..", "x"),
        *(
            '"',
            "(",
            ")",
            "-",
            "*",
            " ",
            " OR ",
            " AND ",
            " NOT ",
            "NEAR(a b)",
            "^",
            "{",
            "}",
            "+",
            ":",
            "'",
            ";",
            "--",
            "\\",
        ),
        *(
            "text:",
            "words MATCH",
            "\0",
            "\u202e",
            "\u200d",
            "👩\u200d⚕️",
            "東京",
            "é",
            "\ud83d",
            "\ue000",
            "\ue001deleted",
            "%",
            "_",
            "?1",
        ),
    ]
)


@given(st.lists(_PIECES | st.text(max_size=6), max_size=14).map("".join), st.sampled_from(["newest", "relevance"]))
def test_no_query_provokes_an_error_but_ours(small: Mirror, query: str, sort: str) -> None:
    try:
        page = search(small, MAILBOX, query, NOW, NEW_YORK, sort=sort, limit=5)  # pyright: ignore[reportArgumentType]
    except QueryError as refused:
        assert not any(word in str(refused).lower() for word in ("fts5", "syntax", "sqlite", "select"))  # noqa: PT017
    else:
        assert all(len(hit.snippet or "") <= 160 for hit in page.hits)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Mirror:
    mirror = Mirror(tmp_path_factory.mktemp("small"))
    mailbox = mirror.mailbox("~", "~")
    mirror.put(mailbox, [Message(entry.record) for entry in generated(60)[0]])
    return mirror


def test_words_of_fts_are_only_words(mirror: Mirror, ids: Ids) -> None:
    mirror.put(MAILBOX, [text_message(1, "near the text: a NEAR b"), text_message(2, "other", minutes=1)])
    assert ids("NEAR") == ["1"]
    assert ids("text near") == ["1"]
    assert ids('"text: a NEAR"') == ["1"]
    assert ids("{near} ^the +a") == ["1"]


def test_a_number_is_found_in_each_spelling_and_by_its_end(mirror: Mirror, ids: Ids) -> None:
    callers = ["+442079460958", "(650) 555-0118", "+16505550199", "555-0118", "BANKPL", "+16505551118"]
    for n, number in enumerate(callers, 1):
        caller = {"phoneNumber": number, "extensionNumber": "104" if n == 3 else None}
        mirror.put(MAILBOX, [text_message(n, "x", minutes=n, sender=caller)])
    for form in ["+44 20 7946 0958", "0044 20 7946 0958", "011442079460958", "020 7946 0958", "+44 (0)20 7946 0958"]:
        assert ids(f'from:"{form}"') == ["1"], form
    for form in ["+16505550118", "16505550118", "6505550118", "650.555.0118", "(650) 555-0118", "1-650-555-0118"]:
        assert ids(f'from:"{form}"') == ["4", "2"], form
    assert ids("number:5550118") == ["4", "2"]
    assert ids("number:118") == ["6", "4", "2"]
    assert ids("number:0118") == ["4", "2"]
    assert ids("from:104") == ["3"]
    assert ids('from:"+16505550199 ext. 104"') == ["3"]
    assert ids('from:"+16505550199 ext. 105"') == []
    assert ids("from:bank") == ["5"]


def test_one_and_two_letters_of_a_name_are_a_part_of_it(mirror: Mirror, ids: Ids) -> None:
    for n, name in enumerate(["Ana Bo", "Élan Vital", "山田 太郎", "O'Brien"], 1):
        mirror.put(MAILBOX, [text_message(n, "x", minutes=n, sender={"name": name})])
    assert ids("from:a") == ["2", "1"]
    assert ids("from:el") == ["2"]
    assert ids("from:田太") == ["3"]
    assert ids("from:o'b") == ["4"]
    assert ids('from:"a b"') == ["1"]


def test_more_people_than_the_index_takes_at_once_are_found_too(mirror: Mirror, ids: Ids) -> None:
    mirror.put(
        MAILBOX,
        [text_message(n, f"word{n % 2}", minutes=n, **{"from": {"name": f"Ann {n:03d}"}}) for n in range(100)],
    )
    odd = [str(n) for n in range(99, 0, -2)]
    assert ids("from:ann word1") == odd
    assert ids("word1 -to:ann (from:ann OR before:2020)") == odd
    assert ids("from:ann -from:09") == [str(n) for n in [*range(89, 39, -1)]]
