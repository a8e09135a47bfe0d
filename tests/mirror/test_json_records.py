"""Tests of reading the records of a JSON file in pieces: the same values as from the whole, and one at a time."""

import io
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rc_mcp.mirror import json_records
from rc_mcp.mirror.json_records import NotRecords, records_of

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(codec=None, exclude_categories=[]))  # halves of emojis too
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
DEEP = "[" * 100_000


class Dripping(io.BytesIO):
    """A file that gives only so many bytes at once."""

    def __init__(self, data: bytes, most: int) -> None:
        super().__init__(data)
        self._most = most

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(self._most, size or 0))


def read(data: str | bytes, at_once: int = 1_000_000) -> list[object]:
    return list(records_of(Dripping(data.encode() if isinstance(data, str) else data, at_once)))


@given(st.lists(VALUES, max_size=5), st.dictionaries(TEXTS, VALUES, max_size=3), st.integers(1, 40), st.booleans())
def test_values_are_the_same_in_pieces_of_any_size(
    values: list[Any], around: dict[str, Any], at_once: int, is_spaced: bool
) -> None:
    around = {name: value for name, value in around.items() if name != "records"}
    spaces: dict[str, Any] = {"indent": 3} if is_spaced else {"separators": (",", ":")}
    whole = json.dumps({**around, "records": values, **{f"{name} too": around[name] for name in around}}, **spaces)
    assert read(whole, at_once) == values
    assert read(json.dumps(values, **spaces), at_once) == values


@given(st.lists(VALUES, min_size=1, max_size=3), st.data())
def test_a_file_that_is_cut_off_anywhere_is_refused(values: list[Any], data: st.DataObject) -> None:
    whole = json.dumps({"records": values})
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(NotRecords):
        read(whole[:cut], data.draw(st.integers(1, 40)))


@pytest.mark.parametrize(
    "data",
    [
        "",
        " ",
        "1",
        '"records"',
        "{}",
        '{"records": {}}',
        '{"records": null}',
        '{"records": [], "records": []}',
        '{"records": [1,]}',
        '{"records": [1 2]}',
        '{"records": [1],}',
        '{"records": [1], }',
        '{"records": [1]]',
        '{"records": [1]} 2',
        '{"records": [tru]}',
        '{"records": [1.]}',
        "{records: [1]}",
        '{1: [], "records": [1]}',
        '{[]: [], "records": [1]}',
        '{"records": ["\t"]}',
        "[1][2]",
        "[,]",
        "id,type\n1,SMS\n",
        '{"records": [' + DEEP,
        '{"more": ' + DEEP + ', "records": []}',
        '[{"id": ' + "9" * 10_000 + "}]",
        '{"records": ["é"]}'.encode("latin-1"),
        '{"records": ["é"]}'.encode("utf-16"),
        b'{"records": ["\xed\xa0\x80"]}',
        b"PK\x03\x04",
    ],
)
def test_other_files_are_refused(data: str | bytes) -> None:
    for at_once in (1, 7, 1_000_000):
        if len(data) < 1_000 or at_once > 7:
            with pytest.raises(NotRecords):
                read(data, at_once)


def test_a_byte_order_mark_is_skipped() -> None:
    assert read(b'\xef\xbb\xbf{"records": [1]}') == [1]


def test_a_record_that_is_longer_than_any_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_records, "MAX_VALUE_CHARS", 1_000)
    assert read(json.dumps(["x" * 500] * 9), 100) == ["x" * 500] * 9
    for shape in ("[%s]", '{"records": [%s]}', '{"other": %s, "records": []}'):
        with pytest.raises(NotRecords):
            read(shape % json.dumps("x" * 1_500), 100)


def test_memory_holds_a_piece_and_not_the_file() -> None:
    record = json.dumps({"id": 1, "subject": "x" * 1_000})
    data = io.BytesIO(("[" + ",".join([record] * 20_000) + "]").encode())
    tracemalloc.start()
    assert sum(1 for _ in records_of(data)) == 20_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < len(data.getvalue()) / 5
