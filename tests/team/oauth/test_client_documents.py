"""Client ID metadata documents: which are believed, and where they are fetched from."""

from ipaddress import ip_address
from typing import Any
from unittest.mock import MagicMock

import anyio
import pytest

from rc_mcp.team.oauth.client import ClientRefused, client_of, is_document_url
from rc_mcp.team.oauth.client_documents import KEPT_AT_LEAST_S, KEPT_AT_MOST_S, KEPT_S, MOST_KEPT, ClientDocuments
from rc_mcp.team.oauth.public_fetch import MOST_BYTES, NotFetched, fetch, is_public
from tests.team.oauth.documents import REDIRECT, Documents

pytestmark = [pytest.mark.anyio, pytest.mark.process]


async def refusal(documents: Documents, url: str) -> str:
    """Why a client with this id is refused."""
    with pytest.raises(ClientRefused) as refused:
        await ClientDocuments(documents.fetch).read(url)
    return str(refused.value)


async def test_a_document_describes_its_client(documents: Documents) -> None:
    client = await ClientDocuments(documents.fetch).read(documents.publish("good"))

    assert (client.name, client.redirect_uris, client.has_document) == ("Test app", (REDIRECT,), True)


@pytest.mark.parametrize(
    "changed",
    [
        {"client_id": "https://localhost/other"},
        {"client_id": None},
        {"redirect_uris": []},
        {"redirect_uris": None},
        {"redirect_uris": REDIRECT},
        {"redirect_uris": [7]},
        {"redirect_uris": ["http://client.example/callback"]},
        {"redirect_uris": ["javascript:alert(1)"]},
        {"redirect_uris": ["data:text/html,x"]},
        {"redirect_uris": [f"{REDIRECT}#part"]},
        {"redirect_uris": ["https://user@client.example/"]},
        {"redirect_uris": [r"https://evil.example\.client.example/"]},
        {"redirect_uris": ["https:///callback"]},
        {"redirect_uris": ["//client.example/callback"]},
        {"redirect_uris": [f"{REDIRECT}?{'x' * 3_000}"]},
        {"redirect_uris": [REDIRECT] * 21},
        {"token_endpoint_auth_method": "client_secret_post"},
        {"token_endpoint_auth_method": ["none"]},
        {"client_secret": "x"},
        {"grant_types": ["client_credentials"]},
    ],
)
async def test_a_document_that_lies_or_asks_too_much_is_refused(documents: Documents, changed: dict[str, Any]) -> None:
    assert await refusal(documents, documents.publish("bad", **changed))


async def test_what_is_no_document_is_refused(documents: Documents) -> None:
    unlike = {
        "not a JSON object": documents.publish_bytes("array", b"[]"),
        "is not a JSON object": documents.publish_bytes("cut", b'{"client_id": '),
        "a JSON object": documents.publish_bytes("deep", b"[" * 60_000),
        "it is not JSON": documents.publish_bytes("html", b"<html>", kind="text/html"),
        "more than 64 KB": documents.publish_bytes("large", b" " * (MOST_BYTES + 1)),
        "compressed": documents.publish_bytes("packed", b"x", headers="Content-Encoding: gzip\r\n"),
        "answered 404": documents.url("missing"),
        "answered 302": documents.publish(
            "moved", status="302 Found", headers=f"Location: {documents.url('good')}\r\n"
        ),
    }
    documents.publish("good")
    documents.asked.clear()

    for why, url in unlike.items():
        assert why in await refusal(documents, url)
    assert "/good" not in documents.asked


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1",  # noqa: S104
        "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fd00:ec2::254", "fec0::1", "ff02::1",
        "::ffff:127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2001:0:0:0:0:0:80ff:fffe",
    ],
)  # fmt: skip
async def test_an_address_inside_is_never_reached(documents: Documents, address: str) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["93.184.215.14", address]

    with pytest.raises(NotFetched, match="public internet"):
        await fetch(documents.publish("inside"), resolve=resolve)


async def test_addresses_of_the_internet_may_be_reached() -> None:
    assert all(is_public(ip_address(each)) for each in ("93.184.215.14", "2606:4700::6810:84e5", "2002:5db8:d70e::"))


async def test_the_connection_goes_to_the_address_that_was_checked(documents: Documents) -> None:
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    url = documents.publish("once")
    body, _ = await fetch(url, may_reach=lambda _: True, resolve=resolve, trust=documents.trust)

    assert asked == ["localhost"]
    assert b"once" in body


async def test_a_certificate_that_nobody_trusts_is_refused(documents: Documents) -> None:
    with pytest.raises(NotFetched, match="cannot be reached"):
        await fetch(documents.publish("untrusted"), may_reach=lambda _: True)


async def test_a_host_that_does_not_answer_costs_five_seconds_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rc_mcp.team.oauth.public_fetch.WITHIN_S", 0.05)

    async def resolve(host: str, port: int) -> list[str]:
        await anyio.sleep_forever()
        return []

    with pytest.raises(NotFetched, match="did not answer"):
        await fetch("https://client.example/slow", resolve=resolve)


@pytest.mark.parametrize(
    ("headers", "kept_s"),
    [
        ("", KEPT_S),
        ("Cache-Control: max-age=7200, public\r\n", 7_200),
        ("Cache-Control: max-age=0\r\n", KEPT_AT_LEAST_S),
        ("Cache-Control: no-store\r\n", KEPT_AT_LEAST_S),
        ("Cache-Control: max-age=31536000\r\n", KEPT_AT_MOST_S),
        ("Cache-Control: max-age=nan\r\n", KEPT_S),
    ],
)
async def test_a_document_is_kept_as_long_as_it_says_within_bounds(
    documents: Documents, headers: str, kept_s: float
) -> None:
    now = MagicMock(return_value=0.0)
    clients, url = ClientDocuments(documents.fetch, now), documents.publish("kept", headers=headers)
    documents.asked.clear()

    for at_s, fetched in ((0.0, 1), (kept_s - 1, 1), (kept_s, 2)):
        now.return_value = at_s
        await clients.read(url)
        assert len(documents.asked) == fetched


async def test_a_failure_is_not_kept(documents: Documents) -> None:
    clients, url = ClientDocuments(documents.fetch), documents.url("later")
    with pytest.raises(ClientRefused):
        await clients.read(url)
    documents.publish("later")

    assert (await clients.read(url)).name == "Test app"


async def test_only_so_many_are_kept() -> None:
    async def any_document(url: str) -> tuple[bytes, dict[str, str]]:
        return f'{{"client_id": "{url}", "redirect_uris": ["{REDIRECT}"]}}'.encode(), {}

    clients = ClientDocuments(any_document)
    for number in range(MOST_KEPT + 10):
        await clients.read(f"https://client.example/{number}")

    assert clients.kept == MOST_KEPT


async def test_documents_that_a_stranger_invents_do_not_push_out_those_in_use() -> None:
    asked: list[str] = []

    async def any_document(url: str) -> tuple[bytes, dict[str, str]]:
        asked.append(url)
        return f'{{"client_id": "{url}", "redirect_uris": ["{REDIRECT}"]}}'.encode(), {}

    clients, used = ClientDocuments(any_document), "https://client.example/used"
    for number in range(2 * MOST_KEPT):
        await clients.read(f"https://evil.example/{number}")
        await clients.read(used)

    assert asked.count(used) == 1


@pytest.mark.parametrize(
    "client_id",
    [
        "http://client.example/app", "https://client.example", "https://client.example/", "https://a@client.example/app",
        "https://client.example/a/../app", "https://client.example/%2e%2E/app", "https://client.example/app#part",
        "https://client.example:x/app", "https://client.example/a b", "https://CLIENT.example/app", "ftp://a.example/x",
        "https://clíent.example/app", "https://client.example/" + "x" * 600, "https:///app",
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_document(client_id: str) -> None:
    assert not is_document_url(client_id)


def test_a_client_that_says_nothing_more_is_good() -> None:
    assert client_of({"redirect_uris": ["com.example.app:/callback", "http://[::1]:80/"]}, "x").name == ""
