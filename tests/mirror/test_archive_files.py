"""Tests of files that are no export archive, or are damaged: a clear error, and nothing of them is in the copy."""

import io
import json
import random
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZIP_STORED, ZipFile

import pytest

from rc_mcp.mirror import archive_file
from rc_mcp.mirror.archive import Imported, Step, import_archive
from rc_mcp.mirror.archive_file import MAX_RATIO
from rc_mcp.mirror.errors import NotAnArchive
from rc_mcp.mirror.mirror import Mirror
from tests import documents
from tests.mirror.exporting import FOLDER, OWNER, RECORDS, of_records, records_in, zipped
from tests.mirror.messages import text_message, voicemail

pytestmark = pytest.mark.anyio

RECORD = json.dumps([dict(voicemail(5).sent)])
DIRECTORY_ENTRY, LOCAL_ENTRY = b"PK\x01\x02", b"PK\x03\x04"


def packed(
    entries: Mapping[str, str | bytes] | None = None, *, records: str | bytes = RECORD, method: int = ZIP_DEFLATED
) -> bytes:
    """Return a zip file of an extension's messages and other entries."""
    data = io.BytesIO()
    with ZipFile(data, "w", method) as file:
        file.writestr(RECORDS, records)
        for name, content in (entries or {}).items():
            file.writestr(name, content)
    return data.getvalue()


def patched(data: bytes, after: bytes, offset: int, value: bytes) -> bytes:
    place = data.index(after) + offset
    return data[:place] + value + data[place + len(value) :]


def twice() -> bytes:
    data = io.BytesIO()
    with warnings.catch_warnings(), ZipFile(data, "w") as file:
        warnings.simplefilter("ignore")
        for _ in range(2):
            file.writestr(RECORDS, RECORD)
    return data.getvalue()


def with_names(*names: str) -> bytes:
    data = io.BytesIO()
    with ZipFile(data, "w") as file:
        for name in names:
            file.writestr(name, RECORD)
    return data.getvalue()


def in_the_middle_of(data: bytes) -> bytes:
    return data[: len(data) // 2]


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


BAD: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "a text": lambda: b"id,type\n1,SMS\n",
    "records without a zip": RECORD.encode,
    "a document": lambda: documents.pdf(["a page"]),
    "an empty zip": lambda: with_names(),
    "another zip": lambda: with_names("word/document.xml", "[Content_Types].xml"),
    "a team export": lambda: with_names("request_info.json", "posts/posts_1.json"),
    "a zip in a zip": lambda: with_names("export-0.zip"),
    "cut off": lambda: in_the_middle_of(packed()),
    "its end alone": lambda: packed()[40:],
    "only folders": lambda: with_names("account/", f"{FOLDER}/"),
    "a path out of the folder": lambda: with_names(f"../{RECORDS}", f"{FOLDER}/../../x"),
    "a path of Windows": lambda: with_names(f"C:\\{RECORDS}".replace("/", "\\")),
    "a name with a line break": lambda: with_names(f"{RECORDS}\n"),
    "ids that are words": lambda: with_names("account/~/extension/~/message-store.json"),
    "ids of other digits": lambda: with_names("account/٤/extension/٢/message-store.json"),
    "two of a name": twice,
    "two of an extension": lambda: packed({f"/{RECORDS}": RECORD}),
    "two of an attachment": lambda: packed({f"{FOLDER}/5/content/52{end}": "x" for end in (".txt", ".bin")}),
    "encrypted": lambda: patched(packed(), DIRECTORY_ENTRY, 8, b"\x01"),
    "encrypted attachments": lambda: patched(with_names(f"{FOLDER}/5/content/52"), DIRECTORY_ENTRY, 8, b"\x09"),
    "a wrong checksum": lambda: patched(packed(), DIRECTORY_ENTRY, 16, b"\0\0\0\0"),
    "a wrong place": lambda: patched(packed(), DIRECTORY_ENTRY, 42, b"\xff\xff\xff\x7f"),
    "a damaged entry": lambda: patched(packed(), LOCAL_ENTRY, 0, b"XXXX"),
    "damaged bytes": lambda: patched(packed(), b"message-store.json", 20, b"\xff" * 9),
    "a method of its own": lambda: patched(packed(), DIRECTORY_ENTRY, 10, b"\x63"),
    "bzip2": lambda: packed(method=ZIP_BZIP2),
    "LZMA": lambda: packed(method=ZIP_LZMA),
    "a bomb": lambda: packed(records="[" + " " * 3_000_000 + "]"),
    "a bomb of many": lambda: packed({f"{FOLDER}/{n}/content/1": bytes(400_000) for n in range(9)}),
    "broken JSON": lambda: packed(records='{"records": [{"id": 1}, {"id":'),
    "JSON that goes on": lambda: packed(records="[] []"),
    "JSON of something else": lambda: packed(records='{"message": "not found"}'),
    "CSV": lambda: packed(records="id,type\n1,SMS\n"),
    "an unknown encoding": lambda: packed(records=RECORD.encode("utf-16")),
    "another encoding": lambda: packed(records='[{"id": 1, "subject": "größer"}]'.encode("cp1252")),
}


@pytest.mark.parametrize("is_last", [False, True])
@pytest.mark.parametrize("kind", BAD)
async def test_a_bad_file_is_refused_and_nothing_of_any_file_is_in_the_copy(
    tmp_path: Path, copy: Path, kind: str, is_last: bool
) -> None:
    bad, good = tmp_path / "bad.zip", of_records(tmp_path / "good.zip", [text_message(1, "hello").sent])
    bad.write_bytes(BAD[kind]())
    with Mirror(copy) as mirror:
        with pytest.raises(NotAnArchive) as refused:
            await import_archive(mirror, [good, bad] if is_last else [bad, good], [OWNER])
        assert records_in(mirror) == {}
    assert refused.value.file == bad
    assert "bad.zip" not in str(refused.value)
    assert names_in(tmp_path) == {"bad.zip", "good.zip", "copy"}


async def test_other_files_in_an_archive_are_counted_and_none_is_written(tmp_path: Path, copy: Path) -> None:
    names = [
        f"../../{RECORDS}",
        f"../{FOLDER}/5/content/52.txt",
        f"{FOLDER}/5/content/../52",
        f"{FOLDER}/5/content/53.txt",
        "/etc/passwd",
        "readme",
    ]
    file = zipped(tmp_path / "a.zip", {RECORDS: RECORD, **dict.fromkeys(names, "x")})
    with Mirror(copy) as mirror:
        imported = await import_archive(mirror, [file], [OWNER])
        assert imported == Imported(added=1, files_left_out=len(names))
    assert names_in(tmp_path) == {"a.zip", "copy"}


async def test_a_list_of_entries_that_would_fill_the_memory_is_not_read(
    tmp_path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = zipped(tmp_path / "a.zip", {RECORDS: RECORD, **{f"{n}": "" for n in range(1_000)}})
    with Mirror(copy) as mirror:
        assert (await import_archive(mirror, [file], [OWNER])).added == 1
        monkeypatch.setattr(archive_file, "MAX_DIRECTORY_BYTES", 40_000)
        with pytest.raises(NotAnArchive):
            await import_archive(mirror, [file], [OWNER])


async def test_messages_that_repeat_much_are_no_bomb(tmp_path: Path, copy: Path) -> None:
    alarm = {**text_message(1, "the same alarm again and again, " * 4).sent, "from": {"phoneNumber": "+15035550134"}}
    file = of_records(tmp_path / "a.zip", [{**alarm, "id": str(n)} for n in range(1, 2_001)])
    with ZipFile(file) as opened:
        assert opened.getinfo(RECORDS).file_size < MAX_RATIO * file.stat().st_size
    with Mirror(copy) as mirror:
        assert (await import_archive(mirror, [file], [OWNER])).added == 2_000


@pytest.mark.parametrize("method", [ZIP_STORED, ZIP_DEFLATED])
async def test_a_file_with_random_damage_is_read_or_refused(tmp_path: Path, copy: Path, method: int) -> None:
    whole = packed({f"{FOLDER}/5/content/52.txt": "an okapi"}, method=method)
    chance = random.Random(method)  # noqa: S311
    file = tmp_path / "a.zip"
    outcomes = {True: 0, False: 0}
    with Mirror(copy) as mirror:
        for _ in range(300):
            data = bytearray(whole)
            for _ in range(chance.randrange(1, 4)):
                # Most of it in the list of entries at the end, where places and sizes are.
                data[chance.randrange(len(data) - 300 if chance.random() < 0.7 else 0, len(data))] = chance.choice(
                    [0, 255, chance.randrange(256)]
                )
            file.write_bytes(data[: len(data) - chance.choice([0, 0, 0, chance.randrange(len(data))])])
            try:
                await import_archive(mirror, [file], [OWNER])
            except NotAnArchive:
                outcomes[False] += 1
            else:
                outcomes[True] += 1
        assert min(outcomes.values()) > 30
        assert records_in(mirror).keys() <= {"5"}


async def test_a_file_that_is_changed_during_the_import_is_an_error_that_says_so(tmp_path: Path, copy: Path) -> None:
    words = [random.Random(n).randbytes(200).hex() for n in range(200)]  # noqa: S311
    file = of_records(tmp_path / "a.zip", [text_message(n, text).sent for n, text in enumerate(words, 1)])

    def change(step: Step) -> None:
        if step.phase == "checking":
            with file.open("r+b") as opened:
                opened.write(bytes(200))

    with Mirror(copy) as mirror, pytest.raises(NotAnArchive) as refused:
        await import_archive(mirror, [file], [OWNER], change)
    assert refused.value.file == file


@pytest.mark.parametrize("is_folder", [False, True])
async def test_a_file_that_cannot_be_read_is_the_systems_error(tmp_path: Path, copy: Path, is_folder: bool) -> None:
    file = tmp_path / "a.zip"
    if is_folder:
        file.mkdir()
    with Mirror(copy) as mirror, pytest.raises(OSError, match=r"a\.zip"):
        await import_archive(mirror, [file], [OWNER])
