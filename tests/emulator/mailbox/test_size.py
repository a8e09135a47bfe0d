"""What a request costs the database, in steps of SQLite: it does not depend on the size of the mailbox."""

import json
import random
import sqlite3
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import httpx2 as httpx
import pytest

from rc_mcp.emulator import Draft, Emulator
from rc_mcp.emulator.dates import to_ms
from rc_mcp.emulator.mailbox import lifecycle
from rc_mcp.emulator.mailbox.new_message import Owner
from rc_mcp.emulator.mailbox.schema import PART_MS, open_database
from rc_mcp.emulator.mailbox.selection import PERSONAL, SHARED, Selection
from rc_mcp.emulator.vocabulary import AVAILABILITIES, DIRECTIONS, MESSAGE_TYPES, READ_STATUSES
from tests.emulator.conftest import ANA, HELLO, add, log_in, mailbox_of

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
QUEUE = Owner(extension_number="900", name="Queue")
FEW, MANY = 1_500, 15_000


@pytest.fixture
def databases(monkeypatch: pytest.MonkeyPatch) -> list[sqlite3.Connection]:
    """Return a list that gets the database of each emulator."""
    opened: list[sqlite3.Connection] = []

    def noted(*given: str) -> sqlite3.Connection:
        opened.append(open_database(*given))
        return opened[-1]

    monkeypatch.setattr("rc_mcp.emulator.emulator.open_database", noted)
    return opened


@contextmanager
def steps_of(database: sqlite3.Connection) -> Generator[list[int]]:
    """Count SQLite's instructions in tens."""
    counted = [0]

    def step() -> int:
        counted[0] += 1
        return 0

    database.set_progress_handler(step, 10)
    yield counted
    database.set_progress_handler(None, 0)


@contextmanager
def statements_of(database: sqlite3.Connection) -> Generator[list[str]]:
    seen: list[str] = []
    database.set_trace_callback(seen.append)
    yield seen
    database.set_trace_callback(None)


FILTERS = [
    "messageType=SMS&direction=Inbound&readStatus=Unread",
    "messageType=Fax",
    "messageType=Fax&messageType=VoiceMail&readStatus=Read",
    "direction=Outbound",
    "readStatus=Unread",
    "availability=Deleted",
    "availability=Deleted&readStatus=Read",
    "availability=Purged",
    "owner=Shared",
    "owner=Shared&messageType=SMS",
    "owner=Any",
    "ownerExtensionType=Department",
    "",
]


async def test_a_page_of_any_filter_reads_little_more_of_a_mailbox_ten_times_as_large(
    databases: list[sqlite3.Connection],
) -> None:
    seconds = count()

    async def pages(emulator: Emulator, database: sqlite3.Connection) -> dict[str, int]:
        cost: dict[str, int] = {}
        async with mailbox_of(emulator) as client:
            total = (await client.get("message-store?dateFrom=2026-01-01T00:00:00Z")).json()["paging"]["totalElements"]
            for asked in FILTERS:
                for page in (1, 3, total // 20):
                    # A second of its own each time, so that none is counted already.
                    since = f"2026-02-{14 - page % 2}T07:01:{next(seconds) % 60:02d}Z"
                    with steps_of(database) as steps:
                        answer = await client.get(f"message-store?{asked}&perPage=20&page={page}&dateFrom={since}")
                    assert answer.status_code == 200
                    cost[f"{asked} {('first', 'third')[page // 2] if page <= 3 else 'last'}"] = steps[0]
        return cost

    costs: list[dict[str, int]] = []
    for size in (FEW, MANY):
        with Emulator(scenario="empty", messages=size, rate_limits=False, now=lambda: NOON) as emulator:
            emulator.store.add_all([replace(HELLO, owner=QUEUE, created=NOON - timedelta(days=9))])
            costs.append(await pages(emulator, databases[-1]))
    few, many = costs
    assert {asked: (few[asked], cost) for asked, cost in many.items() if cost > 4 * few[asked] + 200} == {}


async def test_a_read_begins_no_transaction_until_a_removal_is_due(
    databases: list[sqlite3.Connection], clock: list[datetime]
) -> None:
    with Emulator(scenario="empty", rate_limits=False, now=lambda: clock[0]) as emulator:
        async with mailbox_of(emulator) as client:
            kept, removed = add(emulator), add(emulator)
            clock[0] += timedelta(seconds=1)
            await client.delete(f"message-store/{removed}")
            deleted = clock[0]
            reads = [
                "message-store",
                f"message-store/{kept}",
                f"message-store/{kept},{removed}",
                f"message-store/{kept}/content/{kept}",
                "message-sync?syncType=FSync",
                f"{emulator.server_url}/restapi/v1.0/account/~",
            ]
            due = timedelta(milliseconds=lifecycle.DELETED_KEPT_MS)
            for moment, begun in ((due, 0), (due + timedelta(milliseconds=1), 1)):
                clock[0] = deleted + moment
                await log_in(client, emulator)
                with statements_of(databases[-1]) as seen:
                    answers = [await client.get(path) for path in reads]
                    answers.append(await client.head("message-store"))
                assert {answer.status_code for answer in answers} == {200, 207}
                assert sum(statement.startswith("BEGIN") for statement in seen) == begun
                record = emulator.store.message(removed)
                assert record
                assert record["availability"] == ("Purged" if begun else "Deleted")


def tally(database: sqlite3.Connection) -> Counter[tuple[str | int, ...]]:
    columns = "mailbox, availability, type, direction, read_status, part, owner, number"
    return Counter({row[:-1]: row[-1] for row in database.execute(f"SELECT {columns} FROM tally")})  # noqa: S608


def recounted(database: sqlite3.Connection) -> Counter[tuple[str | int, ...]]:
    columns = "mailbox, availability, type, direction, read_status, created_ms, ifnull(owner, 0)"
    rows = database.execute(f"SELECT {columns} FROM message").fetchall()  # noqa: S608
    year_1_ms = to_ms(datetime.min.replace(tzinfo=UTC))
    return Counter((*row[:5], (row[5] - year_1_ms) // PART_MS, row[6]) for row in rows)


async def test_the_numbers_of_messages_are_right_after_every_change(
    databases: list[sqlite3.Connection], clock: list[datetime]
) -> None:
    with Emulator(rate_limits=False, messages=100, now=lambda: clock[0]) as emulator:
        database, chance = databases[-1], random.Random(22)  # noqa: S311
        for step in range(60):
            async with mailbox_of(emulator) as client:
                ids = [record["id"] for record in emulator.store.messages()]
                one = chance.choice(ids)
                await client.put(f"message-store/{one}", json={"readStatus": chance.choice(READ_STATUSES)})
                await client.delete(f"message-store/{chance.choice(ids)}?purge={chance.choice(['true', 'false'])}")
                await client.patch(f"message-store/{one}", json={"availability": "Alive"})
                # Refused in the middle, and undone: the second has an unknown file.
                with pytest.raises(FileNotFoundError):
                    emulator.store.add_all([HELLO, Draft(type="Fax", sender=ANA, media=("nowhere.pdf",))])
            add(emulator, owner=QUEUE if step % 2 else None, created=datetime(1950 + step, 3, 5, tzinfo=UTC))
            clock[0] += timedelta(hours=chance.randrange(40))
            lifecycle.pass_time(emulator.store)
            assert tally(database) == recounted(database)


def chosen(chance: random.Random, words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(chance.sample(words, chance.randrange(len(words) + 1)))


def test_a_page_has_the_messages_that_a_look_at_each_one_finds() -> None:
    chance = random.Random(22)  # noqa: S311
    with Emulator(scenario="office", messages=600, now=lambda: NOON) as emulator:
        store = emulator.store
        store.add_all(replace(HELLO, owner=QUEUE, created=NOON - timedelta(hours=7 * at)) for at in range(30))
        everyone = store.matching("TRUE ORDER BY created_ms DESC, id DESC")
        created = [message.created_ms for message in everyone]
        ends = [*created, *(ms + shift for ms in created[::20] for shift in (-1, 1)), created[0] - created[0] % PART_MS]
        for _ in range(400):
            selection = Selection(
                types=chosen(chance, MESSAGE_TYPES),
                directions=chosen(chance, DIRECTIONS),
                read_statuses=chosen(chance, READ_STATUSES),
                availabilities=chosen(chance, AVAILABILITIES),
                owners=chosen(chance, (PERSONAL, SHARED)),
                voicemail_owners=chance.choice([None, None, (), (PERSONAL,), (SHARED,)]),
                created_from_ms=chance.choice([None, *chance.sample(ends, 3)]),
                created_to_ms=chance.choice([None, *chance.sample(ends, 3)]),
                created_before_ms=chance.choice([None, None, *chance.sample(ends, 2)]),
            )

            def fits(message: lifecycle.MessageRecord, wanted: Selection = selection) -> bool:
                owners = wanted.owners
                if message.type == "VoiceMail" and wanted.voicemail_owners is not None:
                    owners = wanted.voicemail_owners
                kinds = (
                    (wanted.types, message.type),
                    (wanted.directions, message.direction),
                    (wanted.read_statuses, message.read_status),
                    (wanted.availabilities, message.availability),
                    (owners, PERSONAL if message.owner is None else SHARED),
                )
                return (
                    all(not words or word in words for words, word in kinds)
                    and (wanted.created_from_ms is None or message.created_ms >= wanted.created_from_ms)
                    and (wanted.created_to_ms is None or message.created_ms <= wanted.created_to_ms)
                    and (wanted.created_before_ms is None or message.created_ms < wanted.created_before_ms)
                )

            expected = [message.id for message in everyone if fits(message)]
            limit, offset = chance.choice([-1, 0, 1, 20, 1_000]), chance.choice([0, 0, 1, 19, 150, 10**9])
            page = [message.id for message in store.select(selection, limit=limit, offset=offset)]
            assert store.count(selection) == len(expected)
            assert page == expected[offset : None if limit < 0 else offset + limit]


def test_texts_and_files_are_not_in_the_records_that_a_list_reads(databases: list[sqlite3.Connection]) -> None:
    with Emulator(scenario="empty") as emulator:
        for letter, draft in {
            "v": Draft(type="VoiceMail", sender=ANA, transcript="v" * 10_000),
            "t": Draft(type="SMS", sender=ANA, text="t" * 10_000),
        }.items():
            record = emulator.store.add(draft)
            text = next(item for item in record["attachments"] if item["contentType"] == "text/plain")
            assert emulator.store.content(record["id"], text["id"]) == 10_000 * letter.encode()
            details = databases[-1].execute("SELECT details FROM message WHERE id = ?", [record["id"]]).fetchone()[0]
            assert details.count(letter * 10_000) == len([key for key in json.loads(details) if key == "subject"])


async def test_only_a_request_for_content_reads_it(databases: list[sqlite3.Connection]) -> None:
    read: set[str | None] = set()

    def note(_: int, table: str | None, *others: str | None) -> int:
        read.add(table)
        return sqlite3.SQLITE_OK

    with Emulator(scenario="empty") as emulator:
        record = emulator.store.add(Draft(type="VoiceMail", sender=ANA, transcript="hello", media=("robocall.mp3",)))
        async with mailbox_of(emulator) as mailbox:
            databases[-1].set_authorizer(note)
            for path in ("message-store", f"message-store/{record['id']}", "message-sync?syncType=FSync"):
                assert (await mailbox.get(path)).status_code == 200
            assert "message" in read
            assert "content" not in read
            assert (await mailbox.get(record["attachments"][0]["uri"])).status_code == 200
            assert "content" in read
            databases[-1].set_authorizer(None)


async def test_counts_are_right_after_a_request_that_was_undone(mailbox: httpx.AsyncClient, emulator: Emulator) -> None:
    add(emulator)

    def total() -> int:
        return emulator.store.count(Selection())

    def undone() -> None:
        with emulator.store.transaction():
            empty()
            raise ZeroDivisionError

    def empty() -> None:
        for message in emulator.store.matching("TRUE"):
            emulator.store.move(message, "Purged")
        emulator.store.forget("TRUE")
        assert total() == 0

    with pytest.raises(ZeroDivisionError):
        undone()
    assert total() == 1
    assert (await mailbox.get("message-store")).json()["paging"]["totalElements"] == 1
