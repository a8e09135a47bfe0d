"""RingCentral's JavaScript client of 2017 (`ringcentral` 3.3 with `ringcentral-client`) works with the emulator."""

from typing import Any

import httpx2 as httpx
import pytest

from tests.installed import node_environment, tool
from tests.interop.conftest import HERE, emulator, printed


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    """What the client saw of a mailbox. It knows no JWT, so it gets a token."""
    folder = node_environment(HERE / "client2017")
    with emulator() as at:
        grant = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": at["jwt"]}
        app = at["client_id"], at["client_secret"]
        token = httpx.post(f"{at['server_url']}/restapi/oauth/token", data=grant, auth=app, trust_env=False).json()
        command = [tool("node"), "--input-type=module", "-"]
        return printed(HERE / "client2017.mjs", command, {**at, "token": token}, folder)


def test_it_looks_up_its_own_extension(seen: dict[str, Any]) -> None:
    assert seen["extension"] == [True, "101"]


def test_it_lists_and_reads_one_message_and_many(seen: dict[str, Any]) -> None:
    assert seen["list"] == [5, 5, True]
    assert seen["read"] is True
    assert seen["bulk_read"] == [[200, True], [200, True]]


def test_it_changes_and_deletes_one_message_and_no_other(seen: dict[str, Any]) -> None:
    assert (seen["update"], seen["removed"], seen["kept"]) == ("Unread", "Deleted", "Alive")


def test_it_passes_on_a_refusal(seen: dict[str, Any]) -> None:
    assert seen["refused"] == [404, "CMN-102"]


def test_it_refreshes_and_logs_out(seen: dict[str, Any]) -> None:
    assert (seen["renewed"], seen["logout"]) == (True, 200)
