"""The address book: it is read again when the file changes, and a file that cannot be used stops nothing."""

import logging
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rc_mcp.mirror.contacts import book as books
from rc_mcp.mirror.contacts.book import AddressBook, Contacts, end_of, read_contacts
from rc_mcp.mirror.contacts.contact import ContactsError
from rc_mcp.mirror.contacts.tables import read_table
from rc_mcp.mirror.contacts.vcards import is_vcard, read_vcards
from rc_mcp.views.dialing import Number
from rc_mcp.views.untrusted_text import clean

TABLE = "Name,Phone\nMaria Costa,+1 503 555 0134\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "contacts.any"
    path.write_text(TABLE)
    return path


def names(book: AddressBook) -> list[str]:
    contacts = book.contacts()
    return [contacts.name(n) for n in range(len(contacts))]


def test_a_changed_file_is_read_again_and_an_unchanged_one_is_not(file: Path) -> None:
    book = AddressBook(file)
    first = book.contacts()
    assert names(book) == ["Maria Costa"]
    assert book.contacts() is first
    file.write_text("BEGIN:VCARD\nFN:Harold\nTEL:1\nEND:VCARD\n")
    assert names(book) == ["Harold"]


def test_a_file_that_cannot_be_used_counts_as_empty_and_the_log_says_so_once(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    book = AddressBook(file)
    assert names(book) == ["Maria Costa"]
    assert book.fault is None
    for damaged in ['Name,Phone\n"Canary,1', None, "canary", "canary \0"]:
        caplog.clear()
        if damaged is None:
            file.unlink()
        else:
            file.write_text(damaged)
        assert [names(book), names(book), names(book)] == [[], [], []]
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        assert caplog.messages == [book.fault]
        assert not {"canary", str(file)} & set(caplog.text.lower().split())
    file.write_text(TABLE)
    assert names(book) == ["Maria Costa"]
    assert book.fault is None
    file.write_bytes(b"canary \0")
    assert names(book) == []
    assert len(caplog.messages) == 2  # it is damaged again


def test_the_same_file_that_went_and_came_is_used_again(file: Path, tmp_path: Path) -> None:
    book = AddressBook(file)
    assert names(book) == ["Maria Costa"]
    file.rename(tmp_path / "other")
    assert names(book) == []
    (tmp_path / "other").rename(file)
    assert names(book) == ["Maria Costa"]


def test_entries_that_cannot_be_read_are_counted_in_the_log_and_the_others_are_used(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.write_text(TABLE + "Canary,1,2\n" * 6)
    book = AddressBook(file)
    assert names(book) == ["Maria Costa"]
    assert caplog.messages == [book.fault]
    assert "6 entries" in caplog.text
    assert "line 3, 4, 5, 6, 7, ..." in caplog.text
    assert "Canary" not in caplog.text


@pytest.mark.parametrize("kind", ["folder", "absent", *(["pipe"] if hasattr(os, "mkfifo") else [])])
def test_only_a_file_is_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "contacts"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(ContactsError):
        read_contacts(path)
    book = AddressBook(path)
    assert names(book) == []
    assert book.fault is not None


def test_a_file_that_is_too_large_is_refused_with_the_line(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "MAX_BYTES", len(TABLE))
    assert len(read_contacts(file).contacts) == 1
    file.write_text(TABLE + "B,2\n")
    with pytest.raises(ContactsError, match="line 2"):
        read_contacts(file)


_PIECES = st.sampled_from(
    [
        *(b"BEGIN:VCARD", b"END:VCARD", b"\r\n", b"\n", b"\n ", b"FN:", b"TEL", b";", b":", b"=", b'"', b",", b"+1503"),
        *(b"ENCODING=QUOTED-PRINTABLE", b"CHARSET=", b"utf-7", b"BASE64", b"idna", b"VALUE=uri:tel:", b"Name,Phone\n"),
        *(b"\0", b"\xff\xfe", b"\xc3", b"VERSION:2.1", b"N:;;", b"\\", b"AGENT:", b"hex", b"unicode_escape", b"utf-16"),
    ]
)


@given(st.lists(_PIECES | st.binary(max_size=4), max_size=30).map(b"".join))
def test_no_file_provokes_an_error_but_ours(data: bytes) -> None:
    try:
        entries = read_vcards(data) if is_vcard(data) else read_table(data)
    except ContactsError as refused:
        assert str(refused)  # noqa: PT017
    else:
        contacts = Contacts(entries.contacts)
        for n in contacts.named(""):
            contacts.numbers([n])
            clean(contacts.name(n), 100).encode()


def test_a_contact_is_found_by_a_part_of_any_of_its_names_but_not_across_them(file: Path) -> None:
    file.write_text("Name,Nickname,Phone\nZoë Müller,Anna Bo,+1\nOther,,+2\n")
    contacts = AddressBook(file).contacts()
    assert [contacts.named(part) for part in ["zoe", "e m", "na b", "ler a", ""]] == [{0}, {0}, {0}, set(), {0, 1}]


def test_numbers_that_are_none_belong_to_nobody(file: Path) -> None:
    file.write_text("Name,Phone,Fax\nA,ask mum,(503) 555-0134 ext. 7\nB,1.5E+10,72727\n")
    contacts = AddressBook(file).contacts()
    assert contacts.with_end("5550134") == [(Number("5035550134", "7"), 0)]
    assert contacts.with_end("72727") == [(Number("72727"), 1)]
    assert contacts.with_end(end_of("ask mum")) == contacts.with_end(end_of("1.5e+10")) == []
