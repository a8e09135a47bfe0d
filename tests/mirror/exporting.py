"""Exports of the emulator as files, and zip files of other kinds."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import httpx2 as httpx

from rc_mcp.emulator import Emulator
from rc_mcp.emulator.mailbox.exports import TAKES_MS
from rc_mcp.mirror.mirror import Mirror
from rc_mcp.mirror.search import search
from tests.mirror.messages import START

ACCOUNT, EXTENSION = "400100", "400200"
OWNER = ACCOUNT, EXTENSION
FOLDER = f"account/{ACCOUNT}/extension/{EXTENSION}/message-store"
RECORDS = f"{FOLDER}.json"


async def exported(emulator: Emulator, folder: Path) -> list[Path]:
    """Export all messages of the account, as a program of an administrator would, and return the files."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=emulator.app), base_url=emulator.server_url
    ) as client:
        grant = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": emulator.jwt}
        login = await client.post("/restapi/oauth/token", data=grant, auth=(emulator.client_id, emulator.client_secret))
        client.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
        body = {"dateFrom": "2000-01-01T00:00:00Z"}
        task = (await client.post("/restapi/v1.0/account/~/message-store-report", json=body)).json()
        emulator.clock.advance(seconds=TAKES_MS / 1_000)
        archives = (await client.get(f"{task['uri']}/archive")).json()["records"]
        files: list[Path] = []
        for number, archive in enumerate(archives):
            files.append(folder / f"export-{number}.zip")
            files[-1].write_bytes((await client.get(archive["uri"])).content)
        return files


def owner_of(emulator: Emulator) -> tuple[str, str]:
    return emulator.account_id, emulator.extension_id


def zipped(path: Path, entries: Mapping[str, bytes | str]) -> Path:
    """Write a zip file with these entries."""
    with ZipFile(path, "w", ZIP_DEFLATED) as file:
        for name, data in entries.items():
            file.writestr(name, data)
    return path


def of_records(path: Path, records: Iterable[Mapping[str, Any]]) -> Path:
    """Write an archive 0 with these records of `OWNER`."""
    return zipped(path, {RECORDS: json.dumps({"records": [dict(record) for record in records]})})


def records_in(mirror: Mirror, owner: tuple[str, str] = OWNER) -> dict[str, Mapping[str, Any]]:
    """Return the records of a mailbox of the copy by id."""
    mailbox = mirror.mailbox(*owner)
    with mirror.reading() as db:
        ids = [str(found) for (found,) in db.execute("SELECT id FROM message WHERE mailbox = ?", (mailbox,))]
        return {i: message.sent for i in ids if (message := mirror.message(mailbox, i))}


def ids_found(mirror: Mirror, query: str, owner: tuple[str, str] = OWNER) -> list[str]:
    """Return the ids that a query finds, newest first."""
    page = search(mirror, mirror.mailbox(*owner), query, START + timedelta(days=1), UTC)
    return [hit.message.id for hit in page.hits]
