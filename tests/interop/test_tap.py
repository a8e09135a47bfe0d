"""tap-ringcentral, a Singer extractor that is not RingCentral's, works with the emulator unmodified, without a proxy.

It logs in with a refresh token that it rotates, lists the account's directory, and reads the messages of every user,
week by week. It waits five seconds before each request, so the runs take a minute.
"""

import json
import subprocess
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx2 as httpx
import pytest

from tests.installed import python_environment, python_of
from tests.interop.conftest import HERE, emulator

Json = dict[str, Any]

RUN_TIMEOUT_S = 150
STREAMS = {"contacts", "messages"}
MAIN = "from tap_ringcentral import main; main()"


class Runs(NamedTuple):
    """What the two runs wrote, what the API lists for each user, and the refresh token before each run and after."""

    first: list[Json]
    second: list[Json]
    listed: dict[str, set[str]]
    began: datetime
    refresh_tokens: list[str]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Generator[Runs]:
    python, folder = python_of(python_environment(HERE / "tap")), tmp_path_factory.mktemp("tap")
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(days=8)
    with emulator() as at, httpx.Client(base_url=at["server_url"], trust_env=False) as client:
        grant = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": at["jwt"]}
        app = at["client_id"], at["client_secret"]
        token = client.post("/restapi/oauth/token", data=grant, auth=app).json()
        listed = _listed(client, began, token["access_token"])
        config = folder / "config.json"
        config.write_text(
            json.dumps(
                {
                    "client_id": at["client_id"],
                    "client_secret": at["client_secret"],
                    "refresh_token": token["refresh_token"],
                    "api_url": at["server_url"],
                    "start_date": began.isoformat(),
                }
            )
        )
        tokens = [token["refresh_token"]]

        def run(*arguments: str | Path) -> str:
            command = [python, "-c", MAIN, "--config", config, *arguments]
            ran = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False
            )
            assert ran.returncode == 0, ran.stderr[-2_000:]
            tokens.append(json.loads(config.read_text())["refresh_token"])
            return ran.stdout

        catalog, state = folder / "catalog.json", folder / "state.json"
        catalog.write_text(json.dumps(_selected(json.loads(run("--discover")))))
        first = _lines(run("--catalog", catalog))
        state.write_text(json.dumps(_of_type(first, "STATE")[-1]["value"]))
        second = _lines(run("--catalog", catalog, "--state", state))
        yield Runs(first, second, listed, began, tokens)


def test_it_gets_every_user_of_the_account(runs: Runs) -> None:
    contacts = _records(runs.first, "contacts")
    # It makes a number of this id, and a text of a message's.
    assert {str(contact["id"]) for contact in contacts} == runs.listed.keys()
    assert all(contact["extensionNumber"] and contact["firstName"] for contact in contacts)


def test_it_gets_every_message_of_every_user_once(runs: Runs) -> None:
    found = [(str(message["_contact_id"]), str(message["id"])) for message in _records(runs.first, "messages")]
    assert sorted(found) == sorted((user, each) for user, ids in runs.listed.items() for each in ids)
    assert len(found) > 30


def test_it_goes_on_from_its_state(runs: Runs) -> None:
    last = datetime.fromisoformat(_of_type(runs.first, "STATE")[-1]["value"]["bookmarks"]["messages"]["last_record"])
    assert last == runs.began + timedelta(days=7)
    times = [datetime.fromisoformat(message["creationTime"]) for message in _records(runs.second, "messages")]
    assert times
    assert min(times) >= last - timedelta(seconds=1)


def test_it_rotates_the_refresh_token_at_each_run(runs: Runs) -> None:
    assert len(set(runs.refresh_tokens)) == 4


def _listed(client: httpx.Client, since: datetime, access_token: str) -> dict[str, set[str]]:
    """Return the ids of the messages that the API lists for each user of the account."""
    headers = {"Authorization": f"Bearer {access_token}"}
    account = "/restapi/v1.0/account/~"
    entries = client.get(f"{account}/directory/entries", headers=headers).json()["records"]
    params = {"dateFrom": f"{since:%Y-%m-%dT%H:%M:%SZ}", "perPage": 1000}
    found: dict[str, set[str]] = {}
    for entry in entries:
        page = client.get(f"{account}/extension/{entry['id']}/message-store", params=params, headers=headers).json()
        found[entry["id"]] = {str(record["id"]) for record in page["records"]}
    return found


def _selected(catalog: Json) -> Json:
    """Select the streams, as a user does by editing the catalog."""
    for stream in catalog["streams"]:
        whole: Json = {"breadcrumb": [], "metadata": {"selected": stream["tap_stream_id"] in STREAMS}}
        stream["metadata"] = [each for each in stream.get("metadata", []) if each["breadcrumb"]] + [whole]
    return catalog


def _lines(output: str) -> list[Json]:
    return [json.loads(line) for line in output.splitlines()]


def _of_type(lines: list[Json], kind: str) -> list[Json]:
    return [line for line in lines if line["type"] == kind]


def _records(lines: list[Json], stream: str) -> list[Json]:
    return [line["record"] for line in _of_type(lines, "RECORD") if line["stream"] == stream]
