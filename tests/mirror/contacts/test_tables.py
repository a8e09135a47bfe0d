"""Contacts of CSV files: exports of other programs, and tables of one's own."""

import pytest

from rc_mcp.mirror.contacts.contact import Contact, ContactsError
from rc_mcp.mirror.contacts.tables import read_table

GOOGLE = (
    "First Name,Middle Name,Last Name,Phonetic First Name,Phonetic Middle Name,Phonetic Last Name,Name Prefix,"
    "Name Suffix,Nickname,File As,Organization Name,Organization Title,Organization Department,Birthday,Notes,Photo,"
    "Labels,E-mail 1 - Label,E-mail 1 - Value,Phone 1 - Label,Phone 1 - Value,Phone 2 - Label,Phone 2 - Value"
)
GOOGLE_OLD = (
    "Name,Given Name,Additional Name,Family Name,Yomi Name,Given Name Yomi,Name Prefix,Nickname,Short Name,Birthday,"
    "Group Membership,E-mail 1 - Type,E-mail 1 - Value,Phone 1 - Type,Phone 1 - Value,Organization 1 - Type,"
    "Organization 1 - Name,Organization 1 - Yomi Name"
)
OUTLOOK = (
    "Title,First Name,Middle Name,Last Name,Suffix,Company,Department,Job Title,Business Street,Business Postal Code,"
    "Business Fax,Business Phone,Business Phone 2,Home Phone,Mobile Phone,Telex,Assistant's Name,Assistant's Phone,"
    "Company Main Phone,Account,E-mail Address,E-mail Type,Government ID Number,Organizational ID Number,User 1"
)
RINGCENTRAL = (
    "firstName,lastName,middleName,nickName,company,jobTitle,email,homePhone,businessPhone2,assistantPhone,notes"
)


@pytest.mark.parametrize(
    ("text", "contact"),
    [
        (
            (
                f"{GOOGLE}\nMaria,Luz,Costa,Ma,,,Dr.,,Mum,,Acme,Boss,,,\"a\nb\",,* My,* Work,m@x.y,"
                "Mobile,+15035550134 ::: +15035550135,Work,+15035550136"
            ),
            Contact(
                ("Maria Luz Costa", "Maria Costa", "Mum"), ("+15035550134", "+15035550135", "+15035550136")
            ),
        ),
        (
            f"{GOOGLE_OLD}\nMaria Costa,Maria,,Costa,,,,Mum,,,* My,* Work,m@x.y,Mobile,+15035550134,,Acme,",
            Contact(("Maria Costa", "Mum"), ("+15035550134",)),
        ),
        (
            f"{OUTLOOK}\r\nDr.,Maria,,Costa,,Acme,,,1 Main St,97201,f,b,b2,h,m,x,Bob,555-0199,main,,m@x.y,SMTP,1,2,3",
            Contact(("Maria Costa",), ("f", "b", "b2", "h", "m", "main")),
        ),
        (f"{OUTLOOK}\n,,,,,Acme,,,,,,b", Contact(("Acme",), ("b",))),
        (f"{RINGCENTRAL}\nMaria,Costa,,,,,m@x.y,h,b2,555-0199,", Contact(("Maria Costa",), ("h", "b2"))),
        (
            (
                "Anrede;Vorname;Nachname;Firma;Telefon geschäftlich;Mobiltelefon;Fax geschäftlich;Telefon Assistent\n"
                ";Zoë;Müller;;t;m;f;a"
            ),
            Contact(("Zoë Müller",), ("t", "m", "f")),
        ),
        ("Prénom;Nom;Téléphone (bureau);Tél. mobile\nZoë;Müller;t;m", Contact(("Zoë Müller",), ("t", "m"))),
        ("Nombre\tApellidos\tTeléfono móvil\nJosé\tNúñez\tm", Contact(("José Núñez",), ("m",))),
        ("Nome,Cognome,Cellulare\nMaria,Costa,m", Contact(("Maria Costa",), ("m",))),
        ('"Full Name";"Direct Number";"Ext."\n"Front Desk";"d";"101"', Contact(("Front Desk",), ("d", "101"))),
        ("First,Last,Email,Home,Work 2,Mobile\nMaria,Costa,m@x.y,h,w,m", Contact(("Maria Costa",), ("h", "w", "m"))),
        ("\n\nName,Number\nMaria,=\"+15035550134\"\n", Contact(("Maria",), ("+15035550134",))),
        ("NAME,PHONE_NUMBER\nMaria,'+1 503 555 0134\n", Contact(("Maria",), ("+1 503 555 0134",))),
        ("Name,Phone\nMaria,\"+15035550134; +15035550135\"", Contact(("Maria",), ("+15035550134", "+15035550135"))),
    ],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_row_has_a_name_and_numbers(text: str, contact: Contact, encoding: str) -> None:
    entries = read_table(text.encode(encoding))
    assert entries.contacts == [contact]
    assert entries.unreadable == []


def test_rows_without_a_name_or_a_number_are_no_contacts() -> None:
    entries = read_table(b"Name,Phone\nA,\n,1\n\n , \nB\n")
    assert (entries.contacts, entries.unreadable) == ([], [])


def test_a_row_with_more_cells_than_headings_is_left_out_because_its_numbers_may_be_anothers() -> None:
    entries = read_table(b'Name,Phone\nA,1\n"B\nB",2,3\nC,4,\n')
    assert [each.names for each in entries.contacts] == [("A",), ("C",)]
    assert entries.unreadable == [3]


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", 1),
        (b"Name,Address\nMaria,1 Main St\n", 1),
        (b"Phone,Fax\n1,2\n", 1),
        (b"just a text\n", 1),
        (b'Name,Phone\nA,1\n"Maria,2\nB,3\n', 3),
        (b'Name,Phone\n"A"x,1\n', 2),
        (b"Name,Phone\nA," + b"1" * 200_000, 2),
    ],
)
def test_a_file_that_is_no_table_of_contacts_is_refused_with_the_line(data: bytes, line: int) -> None:
    with pytest.raises(ContactsError, match=f"line {line}: ") as refused:
        read_table(data)
    assert "Maria" not in str(refused.value)


def test_a_file_that_is_not_text_is_refused() -> None:
    with pytest.raises(ContactsError):
        read_table(b"PK\3\4\0\0name,phone")
