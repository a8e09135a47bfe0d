"""The local copy's search, compared in one process with plain SQLite: the same MATCH, and LIKE; encrypted; an import.

`python -m bench.search [messages]`; 100,000 if not given. The plain index has the same words and numbers in a table of
its own, with FTS5's `unicode61` and rowids in the order of time, and returns the same records: what SQLite takes for
the work alone. Runs alternate, so that a busy machine slows both alike. If notmuch is installed (Debian has it), it
indexes the same texts as mail files.
"""

import itertools
import json
import os
import random
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import anyio
from rich.console import Console
from rich.table import Table

from rc_mcp.mirror.archive import import_archive
from rc_mcp.mirror.database import FILE
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.mirror.search import search
from rc_mcp.ringcentral import Message

MAILS = 20_000
"""So many messages are compared with notmuch."""
NOW = datetime(2026, 11, 26, 17, tzinfo=UTC)
ROUNDS = 40
PAGE = 250
SHOWN = 20
OWNER = "400100", "400200"
_CJK = "予約変更午後空請求書送付確認電話連絡先週明日担当者東京都大阪府"

Record = dict[str, Any]


class Corpus:
    """Messages as RingCentral sends them: 65 % texts, 20 % voicemails, 10 % faxes, 5 % in Japanese. Zipf words."""

    def __init__(self, count: int) -> None:
        self._chance = random.Random(1)  # noqa: S311
        letters = "abcdefghijklmnopqrstuvwxyz"
        self.words = ["".join(self._chance.choices(letters, k=self._chance.randint(2, 9))) for _ in range(30_000)]
        self._weights = list(itertools.accumulate(1 / (n + 2) for n in range(len(self.words))))
        self.names = [f"{self._word().title()} {self._word().title()}" for _ in range(max(50, count // 50))]
        self.count = count
        self.text_bytes = 0

    def _word(self) -> str:
        return self._chance.choices(self.words, cum_weights=self._weights)[0]

    def text(self, length: int) -> str:
        return " ".join(self._chance.choices(self.words, cum_weights=self._weights, k=length))

    def messages(self) -> Iterator[tuple[Record, str | None]]:
        """Yield records and the texts of their attachments, from the newest to the oldest."""
        for n in range(self.count, 0, -1):
            kind = self._chance.choices(["SMS", "VoiceMail", "Fax", "CJK"], [65, 20, 10, 5])[0]
            record, text = self._record(n, kind)
            self.text_bytes += len((record.get("subject") or "").encode()) + len((text or "").encode())
            yield record, text

    def _record(self, n: int, kind: str) -> tuple[Record, str | None]:
        who = self._chance.randrange(len(self.names))
        number = f"+1{201 + who // 10_000}555{who % 10_000:04d}"
        uri = (
            f"https://platform.ringcentral.com/restapi/v1.0/account/400100/extension/400200/message-store/{n + 10**12}"
        )
        content: list[Record] = []
        subject, text = self.text(self._chance.randint(8, 30)), None
        match kind:
            case "CJK":
                subject = "".join(self._chance.choices(_CJK, k=60))
            case "VoiceMail":
                subject, text = "Voicemail", self.text(60)
                content = [_attachment(uri, n, 1, "AudioRecording"), _attachment(uri, n, 2, "AudioTranscription")]
            case "Fax":
                subject, text = "+15035550110", self.text(200)
                content = [_attachment(uri, n, 1, "RenderedDocument")]
            case _:
                content = [_attachment(uri, n, 1, "Text")]
        record: Record = {
            "uri": uri,
            "id": n + 10**12,
            "type": "SMS" if kind == "CJK" else kind,
            "direction": self._chance.choice(["Inbound", "Outbound"]),
            "availability": "Deleted" if self._chance.random() < 0.01 else "Alive",
            "readStatus": self._chance.choice(["Read", "Unread"]),
            "creationTime": (NOW - timedelta(minutes=9 * (self.count - n))).isoformat(timespec="milliseconds"),
            "from": {"phoneNumber": number, "name": self.names[who], "location": "Portland, OR"},
            "to": [{"phoneNumber": "+15035550110", "name": "Front Desk"}],
            "subject": subject,
            "attachments": content,
        }
        return record, text


class Plain:
    """The same messages in plain SQLite."""

    def __init__(self, file: Path) -> None:
        self.db = sqlite3.connect(file, isolation_level=None)
        self.db.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
            "CREATE TABLE message (number INTEGER PRIMARY KEY, text TEXT, who TEXT, record TEXT);"
            "CREATE VIRTUAL TABLE words USING fts5 (text, content='message', content_rowid='number',"
            " tokenize='unicode61 remove_diacritics 2');"
            "CREATE VIRTUAL TABLE people USING fts5 (who, content='message', content_rowid='number',"
            " tokenize='trigram');"
        )

    def put(self, rows: Sequence[tuple[int, str, str, str]]) -> None:
        self.db.execute("BEGIN")
        self.db.executemany("INSERT INTO message VALUES (?, ?, ?, ?)", rows)
        self.db.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", [(n, text) for n, text, _, _ in rows])
        self.db.executemany("INSERT INTO people (rowid, who) VALUES (?, ?)", [(n, who) for n, _, who, _ in rows])
        self.db.execute("COMMIT")

    def match(self, table: str, expression: str, order: str = "rowid DESC") -> list[Record]:
        found = self.db.execute(
            f"SELECT rowid FROM {table} WHERE {table} MATCH ? ORDER BY {order} LIMIT {SHOWN}",  # noqa: S608
            (expression,),
        ).fetchall()
        return [self._record(number) for (number,) in found]

    def like(self, text: str) -> list[Record]:
        found = self.db.execute(
            f"SELECT number FROM message WHERE text LIKE ? ORDER BY number DESC LIMIT {SHOWN}",  # noqa: S608
            (f"%{text}%",),
        ).fetchall()
        return [self._record(number) for (number,) in found]

    def count(self, expression: str) -> int:
        return self.db.execute("SELECT count(*) FROM words WHERE words MATCH ?", (expression,)).fetchone()[0]

    def _record(self, number: int) -> Record:
        return json.loads(self.db.execute("SELECT record FROM message WHERE number = ?", (number,)).fetchone()[0])


def main(count: int) -> None:
    """Print what the copy takes to fill, to search, and to fill from an export archive."""
    console = Console()
    with tempfile.TemporaryDirectory() as name, Mirror(Path(name)) as mirror:
        folder = Path(name)
        folder.joinpath("encrypted").mkdir()
        plain = Plain(folder / "plain.db")
        with closing(plain.db):
            corpus = Corpus(count)
            mailbox = mirror.mailbox("~", "~")
            ours_s, plain_s = _fill(mirror, mailbox, plain, corpus)
            _size(console, folder, corpus, ours_s, plain_s)
            _speed(console, mirror, mailbox, plain, corpus)
            with Mirror(folder / "encrypted", "a key of this benchmark") as encrypted:
                encrypted.mailbox("~", "~")
                _fill(encrypted, mailbox, None, Corpus(count))
                _encryption(console, mirror, encrypted, mailbox, corpus)
    with tempfile.TemporaryDirectory() as name:
        _import(console, Path(name), Corpus(count))
    with tempfile.TemporaryDirectory() as name:
        _notmuch(console, Path(name), Corpus(min(count, MAILS)))


def _fill(mirror: Mirror, mailbox: int, plain: Plain | None, corpus: Corpus) -> tuple[float, float]:
    ours_s = plain_s = 0.0
    messages = corpus.messages()
    number = corpus.count
    while page := list(itertools.islice(messages, PAGE)):
        began = time.process_time()
        with mirror.at_once():
            mirror.put(mailbox, [Message(record) for record, _ in page])
            for record, text in page:
                if text:
                    mirror.put_text(mailbox, str(record["id"]), str(record["attachments"][-1]["id"]), text)
        ours_s += time.process_time() - began
        if plain is None:
            continue
        rows: list[tuple[int, str, str, str]] = []
        for record, text in page:
            who = f"{record['from']['name']} {record['from']['phoneNumber']}"
            rows.append((number, f"{record['subject']} {text or ''} {record['from']['name']}", who, json.dumps(record)))
            number -= 1
        began = time.process_time()
        plain.put(rows)
        plain_s += time.process_time() - began
    return ours_s, plain_s


def _import(console: Console, folder: Path, corpus: Corpus) -> None:
    files = [folder / "0.zip", folder / "1.zip"]
    _pack(files, corpus)
    with Mirror(folder / "copy") as mirror:
        began = time.process_time()
        imported = anyio.run(import_archive, mirror, files, [OWNER])
        took_s = time.process_time() - began
    console.print(
        f"CPU to import an export of {sum(file.stat().st_size for file in files) / 1e6:.1f} MB: {took_s:.1f} s, "
        f"{imported.added:,} messages, {imported.texts:,} texts, {imported.added / took_s:,.0f} messages/s"
    )


def _notmuch(console: Console, folder: Path, corpus: Corpus) -> None:
    """Print what notmuch takes for the same messages as mail files."""
    program = shutil.which("notmuch")
    if program is None:
        console.print("notmuch is not installed, so it was not compared")
        return
    with Mirror(folder / "copy") as mirror:
        ours_s, _ = _fill(mirror, mirror.mailbox("~", "~"), None, corpus)
    with closing(sqlite3.connect(folder / "copy" / FILE)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    ours = (folder / "copy" / FILE).stat().st_size
    mails = folder / "mail" / "cur"
    mails.mkdir(parents=True)
    (folder / "config").write_text(f"[database]\npath={mails.parent}\n[user]\nprimary_email=desk@example.test\n")
    for record, text in Corpus(corpus.count).messages():
        mail = EmailMessage()
        mail["From"] = f"{record['from']['name']} <{record['from']['phoneNumber'][1:]}@example.test>"
        mail["Date"] = datetime.fromisoformat(record["creationTime"])
        mail["Message-ID"] = f"<{record['id']}@example.test>"
        mail.set_content(f"{record['subject']} {text or ''}")
        (mails / f"{record['id']}:2,").write_bytes(bytes(mail))
    environment = {**os.environ, "NOTMUCH_CONFIG": str(folder / "config")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([program, "new", "--quiet"], env=environment, check=True)  # noqa: S603
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    theirs_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    theirs = sum(file.stat().st_size for file in (mails.parent / ".notmuch").rglob("*") if file.is_file())
    console.print(
        f"notmuch, {corpus.count:,} messages: CPU to index {theirs_s:.1f} s, ours {ours_s:.1f} s, "
        f"{ours_s / theirs_s:.2f} of it; index {theirs / 1e6:.1f} MB beside the mails, our file {ours / 1e6:.1f} MB"
    )


def _pack(files: Sequence[Path], corpus: Corpus) -> None:
    """Write the messages as RingCentral exports them: the records in one file, the attachments in another."""
    place = "account/{}/extension/{}/message-store".format(*OWNER)
    with (
        ZipFile(files[0], "w", ZIP_DEFLATED) as records,
        ZipFile(files[1], "w", ZIP_DEFLATED) as contents,
        records.open(f"{place}.json", "w") as written,
    ):
        sign = b'{"records": ['
        for record, text in corpus.messages():
            written.write(sign + json.dumps(record).encode())
            sign = b","
            if text:
                contents.writestr(f"{place}/{record['id']}/content/{record['attachments'][-1]['id']}.txt", text)
        written.write(b"]}")


def _size(console: Console, folder: Path, corpus: Corpus, ours_s: float, plain_s: float) -> None:
    def megabytes(name: str) -> float:
        with closing(sqlite3.connect(folder / name)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return (folder / name).stat().st_size / 1e6

    with closing(sqlite3.connect(folder / FILE)) as db:
        records = db.execute("SELECT sum(length(record)) FROM message").fetchone()[0] / 1e6
    ours, text = megabytes(FILE), corpus.text_bytes / 1e6
    console.print(
        f"{corpus.count:,} messages, {text:.1f} MB of text, {records:.1f} MB of records. "
        f"SQLite {sqlite3.sqlite_version}\n"
        f"file: {ours:.1f} MB, {ours / (text + records):.2f} of records and fetched texts, "
        f"{(ours - records) / text:.2f} of the text without records; plain SQLite {megabytes('plain.db'):.1f} MB\n"
        f"CPU to fill: {ours_s:.1f} s, {corpus.count / ours_s:,.0f} messages/s; plain SQLite {plain_s:.1f} s"
    )


def _speed(console: Console, mirror: Mirror, mailbox: int, plain: Plain, corpus: Corpus) -> None:
    chance = random.Random(2)  # noqa: S311
    common, other, rare = corpus.words[3], corpus.words[8], corpus.words[4_000 : 4_000 + ROUNDS]
    name = [some.split()[0] for some in chance.sample(corpus.names, ROUNDS)]
    middle = corpus.words[60]

    def ours(query: Callable[[int], str], sort: Any = "newest") -> Callable[[int], object]:
        return lambda n: search(mirror, mailbox, query(n), NOW, UTC, sort=sort, limit=SHOWN)

    kinds: list[tuple[str, Callable[[int], object], Callable[[int], object]]] = [
        ("rare word", ours(lambda n: rare[n]), lambda n: plain.match("words", f'"{rare[n]}"')),
        ("common word, newest", ours(lambda n: common), lambda n: plain.match("words", f'"{common}"')),
        ("common word / count(*)", ours(lambda n: common), lambda n: plain.count(f'"{common}"')),
        (
            "two common words",
            ours(lambda n: f"{common} {other}"),
            lambda n: plain.match("words", f'"{common}" "{other}"'),
        ),
        (
            "common word by relevance",
            ours(lambda n: common, "relevance"),
            lambda n: plain.match("words", f'"{common}"', "bm25(words)"),
        ),
        ("phrase", ours(lambda n: f'"{common} {other}"'), lambda n: plain.match("words", f'"{common} {other}"')),
        ("prefix of 3", ours(lambda n: f"{rare[n][:3]}*"), lambda n: plain.match("words", f'"{rare[n][:3]}" *')),
        ("part of a name", ours(lambda n: f"from:{name[n]}"), lambda n: plain.match("people", f'"{name[n]}"')),
        ("last 4 digits", ours(lambda n: f"number:{n:04d}"), lambda n: plain.match("people", f'"555{n:04d}"')),
        (
            "2 CJK characters / LIKE",
            ours(lambda n: _CJK[n % 20 : n % 20 + 2]),
            lambda n: plain.like(_CJK[n % 20 : n % 20 + 2]),
        ),
        ("word and type", ours(lambda n: f"{common} type:fax"), lambda n: plain.match("words", f'"{common}"')),
        ("only excluded", ours(lambda n: f"-{common} type:fax"), lambda n: plain.match("words", f'"{other}"')),
        ("operators alone", ours(lambda n: "is:unread in:inbox"), lambda n: plain.match("words", f'"{common}"')),
        ("everything", ours(lambda n: "in:anywhere"), lambda n: plain.match("words", f'"{common}"')),
        ("word / LIKE", ours(lambda n: rare[n]), lambda n: plain.like(rare[n])),
        ("word of 1 letter or 2 / LIKE", ours(lambda n: middle[:2]), lambda n: plain.like(middle[:2])),
    ]
    table = Table("query, newest 20", "ours p50 ms", "p95", "plain p50", "p95", "p50 ratio", "p95 ratio")
    for kind, one, two in kinds:
        times: tuple[list[float], list[float]] = ([], [])
        for n in range(ROUNDS):
            for run, into in ((one, times[0]), (two, times[1])):
                began = time.perf_counter()
                run(n)
                into.append((time.perf_counter() - began) * 1_000)
        (a50, a95), (b50, b95) = (_percentiles(some) for some in times)
        table.add_row(kind, *(f"{value:.2f}" for value in (a50, a95, b50, b95, a50 / b50, a95 / b95)))
    console.print(table)


def _encryption(console: Console, plain: Mirror, encrypted: Mirror, mailbox: int, corpus: Corpus) -> None:
    """Print how much longer queries take in an encrypted copy."""
    common, other, rare = corpus.words[3], corpus.words[8], corpus.words[4_000 : 4_000 + ROUNDS]
    queries: list[Callable[[int], str]] = [
        lambda n: rare[n],
        lambda n: common,
        lambda n: f"{common} {other}",
        lambda n: f'"{common} {other}"',
        lambda n: f"{rare[n][:3]}*",
        lambda n: f"from:{corpus.names[n].split()[0]}",
        lambda n: f"number:{n:04d}",
        lambda n: _CJK[n % 20 : n % 20 + 2],
        lambda n: f"{common} type:fax",
        lambda n: "in:anywhere",
    ]
    ratios: list[float] = []
    for query in queries:
        times: dict[Mirror, list[float]] = {plain: [], encrypted: []}
        for n in range(ROUNDS):
            for mirror, into in times.items():
                began = time.perf_counter()
                search(mirror, mailbox, query(n), NOW, UTC, limit=SHOWN)
                into.append(time.perf_counter() - began)
        ratios.append(statistics.median(times[encrypted]) / statistics.median(times[plain]))
    console.print(
        f"encrypted: queries take {statistics.median(ratios):.2f} times as long (median of {len(queries)} kinds; "
        f"{min(ratios):.2f} to {max(ratios):.2f})"
    )


def _percentiles(times: Sequence[float]) -> tuple[float, float]:
    return statistics.median(times), statistics.quantiles(times, n=20)[-1]


def _attachment(uri: str, n: int, part: int, kind: str) -> Record:
    content = {"AudioRecording": "audio/mpeg", "RenderedDocument": "application/pdf"}.get(kind, "text/plain")
    attachment_id = (n + 10**12) * 10 + part
    return {"id": attachment_id, "uri": f"{uri}/content/{attachment_id}", "type": kind, "contentType": content}


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
