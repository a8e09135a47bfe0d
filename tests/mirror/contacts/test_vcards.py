"""Contacts of vCard files as phones and address books write them."""

import codecs

import pytest

from rc_mcp.mirror.contacts import contact
from rc_mcp.mirror.contacts.contact import Contact, ContactsError
from rc_mcp.mirror.contacts.vcards import is_vcard, read_vcards
from rc_mcp.views.dialing import dialed


def card(*lines: str, version: str = "3.0") -> str:
    return "\r\n".join(["BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", ""])


def only(text: str | bytes) -> Contact:
    entries = read_vcards(text if isinstance(text, bytes) else text.encode())
    assert entries.unreadable == []
    (found,) = entries.contacts
    return found


@pytest.mark.parametrize(
    ("text", "name", "numbers"),
    [
        (card("N:Costa;Maria;;;", "FN:Maria Costa", "TEL;type=CELL;type=pref:+1 503 555 0134"), "Maria Costa", "1"),
        (card("FN:Mar", " ia ", "  Costa", "T", "\tEL:+1 503 555 0134"), "Maria Costa", "1"),  # folded anywhere
        (card("item1.TEL:+1 503 555 0134", "item1.X-ABLabel:_$!<Work>!$_", "FN:Maria Costa"), "Maria Costa", "1"),
        (card("fn:Maria Costa", "tel:+1 503 555 0134").lower(), "maria costa", "1"),
        (card('TEL;TYPE="a;b:c":+1 503 555 0134', "FN:Maria Costa").replace("\r\n", "\n"), "Maria Costa", "1"),
        (card("TEL:+1 503 555 0134", "FN:Maria Costa").replace("\r\n", "\r"), "Maria Costa", "1"),
        (card("N:Costa;Maria,Ana;Luz;Dr.;", "TEL:+1 503 555 0134"), "Maria Ana Luz Costa", "1"),
        (card("N:;;;;", "ORG:Acme\\; Sons\\, Inc;Sales", "TEL:+1 503 555 0134"), "Acme; Sons, Inc", "1"),
        (card("FN:Costa\\, Maria\\nLuz", "TEL:+1 503 555 0134"), "Costa, Maria Luz", "1"),
        (card("FN:Maria", "TEL;VALUE=uri;TYPE=\"a,b\":tel:+1-503-555-0134;ext=12", version="4.0"), "Maria", "1x"),
        (card("FN:Maria", "TEL;VALUE=uri:tel:555-0134;phone-context=+1-503", version="4.0"), "Maria", "1"),
        (card("FN:Maria", "TEL;VALUE=uri:tel:+1%20503%20555%200134", version="4.0"), "Maria", "1"),
        (card("FN:Maria", "TEL;CELL:+15035550134", "TEL;WORK;FAX:+15035550135", version="2.1"), "Maria", "12"),
        (
            card("FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:Zo=C3=AB=20=", "=4D=C3=BCller", "TEL:+15035550134"),
            "Zoë Müller",
            "1",
        ),
        (card("N;QUOTED-PRINTABLE;CHARSET=ISO-8859-1:M=FCller;Zo=EB", "TEL;PREF:+15035550134"), "Zoë Müller", "1"),
        (card("FN;CHARSET=Shift_JIS;ENCODING=QUOTED-PRINTABLE:=8ER=93c", "TEL:+15035550134"), "山田", "1"),
        (card("FN;ENCODING=b:TcO8bGxlcg==", "TEL:+15035550134"), "Müller", "1"),
        (card('FN;CHARSET="ISO-8859-1";ENCODING="QUOTED-PRINTABLE":M=FC', "TEL:+15035550134"), "Mü", "1"),
        (card("FN:M", "TEL:+15035550134", "NOTE;ENCODING=QUOTED-PRINTABLE:a="), "M", "1"),
        (card("FN:Maria", "NOTE;ENCODING=QUOTED-PRINTABLE:a=3D=", "=", "b:c", "TEL:+15035550134"), "Maria", "1"),
        (card("FN:M", "PHOTO;ENCODING=BASE64;JPEG:/9j/4AAQ", " SkZJRg", "", "TEL:+15035550134"), "M", "1"),
        (card("FN:M", "PHOTO;ENCODING=BASE64;JPEG:/9j/4AAQ", "SkZJRgA=", "", "TEL:+15035550134"), "M", "1"),
        (card("FN:M", "PHOTO;ENCODING=b:!!! damaged", "BDAY:--0412", "TEL:+15035550134"), "M", "1"),
        (card("FN:Maria", " Costa", "TEL:+15035550134", version="2.1"), "Maria Costa", "1"),  # the space belongs to it
        (card("FN:M", "X-NOTE;X=1:" + "a" * 300_000, "TEL:+15035550134"), "M", "1"),
        ("\ufeff\r\n\r\n" + card("FN:M", "", "TEL:+15035550134") + "\r\n\r\n", "M", "1"),
    ],
)  # fmt: skip
def test_a_card_has_a_name_and_numbers(text: str, name: str, numbers: str) -> None:
    assert is_vcard(text.encode())
    found = only(text)
    assert found.names[0] == name
    known = {"1": "+15035550134", "2": "+15035550135"}
    dialed_there = [dialed(number) for number in found.numbers]
    assert [number.number for number in dialed_there] == [known[n] for n in numbers if n != "x"]
    assert dialed_there[0].extension == ("12" if "x" in numbers else None)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_a_file_may_have_another_encoding(encoding: str) -> None:
    data = card("FN:Zoë Müller", "TEL:+15035550134").encode(encoding)
    assert is_vcard(data)
    assert only(data).names == ("Zoë Müller",)
    if encoding == "utf-16":
        swapped = codecs.BOM_UTF16_BE + card("FN:Zoë Müller", "TEL:+15035550134").encode("utf-16-be")
        assert only(swapped).names == ("Zoë Müller",)


def test_a_line_that_is_folded_inside_a_letter_is_whole_again() -> None:
    data = card("FN:Zoë", "TEL:+15035550134").encode().replace("ë".encode(), b"\xc3\r\n \xab")
    assert only(data).names == ("Zoë",)


def test_a_contact_is_known_by_its_other_names_too() -> None:
    found = only(card("FN:Dr. Maria L. Costa", "N:Costa;Maria;Luz;Dr.;", "NICKNAME:Mum,Mia", "TEL:+15035550134"))
    assert found.names == ("Dr. Maria L. Costa", "Maria Luz Costa", "Maria Costa", "Mum Mia")


def test_cards_of_all_versions_may_be_in_one_file_and_inside_each_other() -> None:
    agent = "AGENT:\r\n" + card("FN:Agent", "TEL:2", version="2.1")
    entries = read_vcards((card("FN:A", agent + "TEL:1") + card("FN:B", "TEL:3", version="4.0")).encode())
    assert entries.contacts == [Contact(("Agent",), ("2",)), Contact(("A",), ("1",)), Contact(("B",), ("3",))]
    assert entries.unreadable == []


def test_cards_without_a_name_or_a_number_are_no_contacts() -> None:
    entries = read_vcards((card("TEL:1") + card("FN:A") + card("FN:B", "TEL: ") + card("FN:", "TEL:1")).encode())
    assert (entries.contacts, entries.unreadable) == ([], [])


@pytest.mark.parametrize(
    ("damaged", "line"),
    [
        (card("FN:Lost", "no property", "TEL:2"), 5),
        (card("FN;CHARSET=X-NONE:Lost", "TEL:2"), 5),
        (card("FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=FF", "TEL:2"), 5),
        (card("FN;ENCODING=b:!x", "TEL:2"), 5),
        (card("FN:" + "a" * 10_001, "TEL:2"), 5),
        ("junk\r\n", 5),
    ],
)
def test_an_entry_that_cannot_be_read_is_left_out_and_its_line_is_known(damaged: str, line: int) -> None:
    entries = read_vcards((card("FN:A", "TEL:1")[:-2] + "\r\n" + damaged + card("FN:B", "TEL:3")).encode())
    assert [each.names for each in entries.contacts] == [("A",), ("B",)]
    assert entries.unreadable == [line + 1]


def test_a_file_that_was_cut_says_which_card_has_no_end() -> None:
    entries = read_vcards((card("FN:A", "TEL:1") + "BEGIN:VCARD\r\nFN:B\r\nTEL:2").encode())
    assert [each.names for each in entries.contacts] == [("A",)]
    assert entries.unreadable == [6]
    inside = "BEGIN:VCARD\r\nFN:B\r\n" + card("FN:A", "no property")
    assert read_vcards(inside.encode()).unreadable == [1, 3]


def test_more_contacts_than_the_limit_are_refused_with_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contact, "MAX_CONTACTS", 2)
    assert len(read_vcards(card("FN:A", "TEL:1").encode() * 2).contacts) == 2
    with pytest.raises(ContactsError, match="line 11"):
        read_vcards(card("FN:A", "TEL:1").encode() * 3)
