"""A search without an index, written from the docs of the query language: it reads all records in plain Python.

It shares no code with `rc_mcp/mirror/`, so that a misunderstanding there cannot hide here.
"""

import random
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, cached_property
from typing import Any

Record = dict[str, Any]
Fits = Callable[["Entry"], bool]

_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "THAI", "LAO", "KHMER", "MYANMAR", "IDEOGRAPHIC")
_OPTIONAL = ("COMBINING", "ARABIC", "HEBREW", "VARIATION", "EMOJI MODIFIER")


@dataclass
class Entry:
    """A record and the texts of its attachments."""

    record: Record
    contents: list[str] = field(default_factory=list[str])

    @property
    def id(self) -> str:
        return str(self.record["id"])

    @cached_property
    def created(self) -> datetime:
        return datetime.fromisoformat(self.record["creationTime"])

    @cached_property
    def words(self) -> list[list[str]]:
        """The words of each text and name."""
        r = self.record
        owner: Record = r.get("owner") or {}
        names = [*map(name_of, callers(r, "from", "to")), owner.get("name")]
        texts: list[str | None] = [r.get("subject"), r.get("coverPageText"), *self.contents, *names]
        return [words(text) for text in texts if text]

    @property
    def files(self) -> list[Record]:
        """Attachments other than words of a text and transcripts."""
        return [a for a in self.record.get("attachments", []) if a.get("type") not in {"Text", "AudioTranscription"}]


def callers(record: Record, *roles: str) -> list[Record]:
    found: list[Record] = []
    for role in roles:
        value: Record | list[Record] = record.get(role) or []
        found += [value] if isinstance(value, dict) else value
    return found


def name_of(caller: Record) -> str | None:
    contact: Record = caller.get("contact") or {}
    return caller.get("name") or contact.get("name")


def plain(text: str) -> str:
    some = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    kept = [c for c in some if unicodedata.category(c) != "Cf" and not _is_optional(c)]
    return unicodedata.normalize("NFC", "".join(kept))


def _is_optional(c: str) -> bool:
    name = unicodedata.name(c, "")
    if "VOICED SOUND MARK" in name:
        return False
    return (unicodedata.category(c) in {"Mn", "Me"} and name.startswith(_OPTIONAL)) or "EMOJI MODIFIER" in name


def is_unspaced(c: str) -> bool:
    return unicodedata.name(c, "").startswith(_UNSPACED) and unicodedata.category(c)[0] in "LMN"


@cache
def words(text: str) -> list[str]:
    """Words in small letters without accents. Characters of scripts without spaces, and symbols, are words."""
    found: list[str] = []
    run = ""
    last_unspaced, mark_between = False, False

    for c in plain(text):
        category = unicodedata.category(c)
        single = is_unspaced(c)
        if category[0] in "LMN" and not single:
            run += str(unicodedata.decimal(c)) if category == "Nd" else c
            last_unspaced = False
            continue
        if run:
            found.append(run)
            run = ""
        if single:
            if last_unspaced and mark_between:
                found.append("")  # no phrase goes on here
            found.append(c)
            last_unspaced, mark_between = True, False
        elif category == "So":
            found.append(c)
            last_unspaced = False
        elif not c.isspace():
            mark_between = True
    return [*found, run] if run else found


def says(text: str, *, prefix: bool = False) -> Fits:
    """Fit messages with these words next to each other. A whole number also means its caller."""
    wanted = words(text)
    if len(digits(text)) >= 7 and not re.search("[^\\W\\d]", text):
        called = numbered(digits(text), "from", "to")
        return lambda e: called(e) or any(_follows(some, wanted, prefix) for some in e.words)

    def fits(entry: Entry) -> bool:
        return any(_follows(some, wanted, prefix) for some in entry.words)

    return fits


def _follows(there: Sequence[str], wanted: Sequence[str], prefix: bool) -> bool:
    n = len(wanted)
    for at in range(len(there) - n + 1):
        part = there[at : at + n]
        if part == wanted or (prefix and part[:-1] == wanted[:-1] and part[-1].startswith(wanted[-1])):
            return True
    return False


def named(part: str, names: "Names", *roles: str) -> Fits:
    """Fit messages in which a party's name has this part."""
    wanted = " ".join(words(part))
    return lambda e: any(wanted in name for c in callers(e.record, *roles) if (name := names.of(c)) is not None)


class Names:
    """The names that a mailbox has for numbers. Only numbers with a country code, or of North America, are joined."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._names: dict[str, set[tuple[str, str]]] = {}
        self._extensions: dict[str, set[str]] = {}
        for caller in (c for e in entries for c in callers(e.record, "from", "to")):
            number, extension = full(caller), caller.get("extensionNumber") or ""
            if number and extension:
                self._extensions.setdefault(number, set()).add(extension)
            if number and (name := name_of(caller)):
                self._names.setdefault(number, set()).add((extension, " ".join(words(name))))

    def of(self, caller: Record) -> str | None:
        """The caller's own name, otherwise the only one of the same number and extension."""
        if name := name_of(caller):
            return " ".join(words(name))
        number, extension = full(caller), caller.get("extensionNumber") or ""
        is_only = len(self._extensions.get(number, ())) == 1
        fit = {
            name
            for other, name in self._names.get(number, ())
            if other == extension or (is_only and not (other and extension))
        }
        return fit.pop() if len(fit) == 1 else None


def full(caller: Record) -> str:
    """The number that a caller certainly has, in one spelling."""
    written = digits(caller.get("phoneNumber"))
    return re.sub("^1(?=[0-9]{10}$)", "", written)


def digits(text: str | None) -> str:
    return re.sub("[^0-9]", "", text or "")


def numbered(number: str, *roles: str) -> Fits:
    """Fit messages of a party whose number ends with these digits, or that has this extension."""
    return lambda e: any(
        digits(c.get("phoneNumber")).endswith(number) or c.get("extensionNumber") == number
        for c in callers(e.record, *roles)
    )


def operators(now: datetime) -> dict[str, Fits]:
    """The terms that stand for themselves."""

    def is_(key: str, *values: str) -> Fits:
        return lambda e: e.record.get(key) in values

    return {
        "type:voicemail": is_("type", "VoiceMail"),
        "type:fax": is_("type", "Fax"),
        "type:sms": is_("type", "SMS"),
        "type:pager": is_("type", "Pager"),
        "type:text": is_("type", "SMS", "Text"),
        "type:mms": lambda e: e.record["type"] == "SMS" and bool(e.files),
        "in:inbox": is_("direction", "Inbound"),
        "in:sent": is_("direction", "Outbound"),
        "in:anywhere": lambda e: True,
        "is:unread": is_("readStatus", "Unread"),
        "is:read": is_("readStatus", "Read"),
        "is:deleted": is_("availability", "Deleted"),
        "has:attachment": lambda e: bool(e.files),
        "has:transcript": lambda e: any(a.get("type") == "AudioTranscription" for a in e.record.get("attachments", [])),
        "has:pages": lambda e: (e.record.get("faxPageCount") or 0) > 0,
        "has:picture": lambda e: (
            e.record["type"] != "Fax" and any(a["contentType"].startswith("image/") for a in e.files)
        ),
        "newer_than:7d": lambda e: e.created >= now - timedelta(days=7),
        "older_than:3w": lambda e: e.created < now - timedelta(weeks=3),
        "newer_than:36h": lambda e: e.created >= now - timedelta(hours=36),
    }


def queries(entries: Sequence[Entry], now: datetime, seed: int, each: int) -> Iterator[tuple[str, Fits]]:
    """Make queries of every kind from the records, and say which messages each must find (deleted ones aside)."""
    chance = random.Random(seed)  # noqa: S311
    singles = [*_texts(entries, chance, each), *_people(entries, chance, each), *_dates(entries, chance)]
    singles += operators(now).items()
    yield from singles
    for _ in range(each * 6):
        (a, fits_a), (b, fits_b) = chance.sample(singles, 2)
        if "is:deleted" in {a, b}:
            continue
        yield f"{a} {b}", lambda e, x=fits_a, y=fits_b: x(e) and y(e)
        yield f"{a} OR {b}", lambda e, x=fits_a, y=fits_b: x(e) or y(e)
        yield f"{a} -{b}", lambda e, x=fits_a, y=fits_b: x(e) and not y(e)
        yield (
            f"-({a} OR {b}) in:inbox",
            lambda e, x=fits_a, y=fits_b: not x(e) and not y(e) and e.record["direction"] == "Inbound",
        )
    yield "is:deleted type:fax", lambda e: e.record["availability"] == "Deleted" and e.record["type"] == "Fax"


def _texts(entries: Sequence[Entry], chance: random.Random, each: int) -> Iterator[tuple[str, Fits]]:
    spoken = [some for e in entries for some in e.words if some]
    spaced = [[w for w in some if w and not is_unspaced(w[0]) and w.isalnum()] for some in spoken]
    spaced = [some for some in spaced if some]
    for some in chance.sample(spaced, min(each, len(spaced))):
        word = chance.choice(some)
        written = chance.choice([str.upper, str.title, str])(word)
        yield written if written.upper() not in {"AND", "OR", "NOT"} else word.lower(), says(word)
    for some in chance.sample(spoken, min(each, len(spoken))):
        at = chance.randrange(len(some))
        part = some[at : at + chance.choice([2, 3])]
        if all(w and w.isalnum() for w in part):
            text = " ".join(part)
            yield f'"{text}"', says(text)
    long = [w for some in spaced for w in some if len(w) > 4 and w.isalpha()]
    for word in chance.sample(long, min(each, len(long))):
        yield f"{word[:3]}*", says(word[:3], prefix=True)
    unspaced = ["".join(some) for some in spoken if sum(bool(w) and is_unspaced(w[0]) for w in some) > 3]
    runs = [run for text in unspaced for run in re.findall(r"[^\W\d_a-z]{3,}", text) if all(map(is_unspaced, run))]
    for length in (1, 2, 3):
        for run in chance.sample(runs, min(each, len(runs))):
            at = chance.randrange(len(run) - length + 1)
            yield run[at : at + length], says(run[at : at + length])


def _people(entries: Sequence[Entry], chance: random.Random, each: int) -> Iterator[tuple[str, Fits]]:
    mailbox = Names(entries)
    known = [(role, c) for e in entries for role in ("from", "to") for c in callers(e.record, role)]
    names = [(role, name) for role, c in known if (name := name_of(c)) and words(name)]
    for role, name in chance.sample(names, min(each * 2, len(names))):
        text = " ".join(words(name))
        begin = chance.randrange(max(1, len(text) - 3))
        part = text[begin : begin + chance.choice([3, 4, 8])].strip()
        if part and part != "me" and not digits(part) and words(part) == part.split():
            yield f'{role}:"{part}"', named(part, mailbox, role)
            yield f'with:"{part}"', named(part, mailbox, "from", "to")
    numbers = [(role, c["phoneNumber"]) for role, c in known if re.fullmatch(r"\+1\d{10}", c.get("phoneNumber", ""))]
    for role, number in chance.sample(numbers, min(each, len(numbers))):
        end = number[-4:]
        yield f"number:{end}", numbered(end, "from", "to")
        a, b, c = number[2:5], number[5:8], number[8:]
        forms = [number, number[1:], a + b + c, f"({a}) {b}-{c}", f"{a}-{b}-{c}", f"+1 {a} {b} {c}", f"{a}.{b}.{c}"]
        yield f'{role}:"{chance.choice(forms)}"', numbered(a + b + c, role)
        yield f"with:{chance.choice(forms)}", numbered(a + b + c, "from", "to")


def _dates(entries: Sequence[Entry], chance: random.Random) -> Iterator[tuple[str, Fits]]:
    days = sorted({e.created.date() for e in entries})
    for _ in range(3):
        first, last = sorted([chance.choice(days), chance.choice(days)])
        yield f"before:{first}", lambda e, d=first: e.created.date() < d
        yield f"after:{last}", lambda e, d=last: e.created.date() >= d
        yield f"date:{first}..{last}", lambda e, a=first, b=last: a <= e.created.date() <= b
        yield f"during:{first}", lambda e, d=first: e.created.date() == d
        yield f"during:{first:%Y-%m}", lambda e, d=first: (e.created.year, e.created.month) == (d.year, d.month)
