"""The status page: its content, and its safety against the text in messages and requests."""

import re
import unicodedata
from collections import Counter
from html.parser import HTMLParser

import httpx2 as httpx
import pytest

from rc_mcp.emulator import Draft, Emulator, Party
from rc_mcp.emulator.scenarios.scenarios import Scenario
from rc_mcp.emulator.service import status_page
from rc_mcp.emulator.vocabulary import MessageType
from tests.emulator.conftest import mailbox_of

pytestmark = pytest.mark.anyio


class Page(HTMLParser):
    """The elements and the text of a page. `unclosed` is empty when every element that opens also closes."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: Counter[str] = Counter()
        self.attributes: Counter[str] = Counter()
        self.unclosed: list[str] = []
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        self.attributes.update(name for name, _ in attrs)
        if tag not in {"meta", "img"}:
            self.unclosed.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.unclosed.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f" {data}" if "style" not in self.unclosed else ""


async def page_of(client: httpx.AsyncClient, emulator: Emulator) -> Page:
    return Page((await client.get(f"{emulator.server_url}/")).text)


async def test_it_shows_message_counts_time_scenario_and_retention(web: httpx.AsyncClient, emulator: Emulator) -> None:
    emulator.store.add(Draft(type="Fax", sender=Party(name="Ana")))
    emulator.store.add(Draft(type="SMS", sender=Party(name="Ana"), text="See you at nine", availability="Deleted"))
    page = await page_of(web, emulator)
    text = " ".join(page.text.split())
    for fact in ("2026-03-05 15:30:20", "empty", "30 days", "Fax 1 0 0 0", "SMS 0 0 1 0", "See you at nine", "Ana"):
        assert fact in text, fact


@pytest.mark.parametrize("kind", ["Fax", "SMS"])
@pytest.mark.parametrize("status", ["SendingFailed", "Sent", "Queued"])
async def test_an_outgoing_message_has_the_state_of_its_sending(
    web: httpx.AsyncClient, emulator: Emulator, kind: MessageType, status: str
) -> None:
    to = Party(name="Ana", phone_number="+15035550199")
    sent = emulator.store.add(Draft(type=kind, direction="Outbound", recipients=(to,), status=status))
    rows = re.findall("<tr>.*?</tr>", (await web.get(f"{emulator.server_url}/")).text)
    [row] = [row for row in rows if f"/messages/{sent['id']}" in row]
    assert f"<td>{status}</td>" in row
    assert "Unread" not in row


async def test_the_message_that_changed_last_is_at_the_top(web: httpx.AsyncClient) -> None:
    with Emulator() as emulator:
        oldest = emulator.store.messages()[-1]["id"]
        found = emulator.store.find(oldest)
        assert found is not None
        emulator.store.move(found, "Deleted")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=emulator.app)) as client:
            text = (await client.get(f"{emulator.server_url}/")).text
    assert re.findall("/messages/([0-9]+)", text)[0] == str(oldest)


async def test_it_shows_requests_faults_and_limits(web: httpx.AsyncClient) -> None:
    with Emulator(scenario="empty", time_scale=0) as emulator:
        async with mailbox_of(emulator) as client:
            emulator.faults.inject("rate_limit", operation="readMessage")
            await client.get("message-store/111")
            emulator.faults.inject("stall", operation="deleteMessage", times=None)
            page = await page_of(client, emulator)
    text = " ".join(page.text.split())
    for fact in ("1 of 5", "1 of 50", "60 s", "stall deleteMessage any"):
        assert fact in text, fact
    assert " 0 x" not in text
    assert "429 GET /restapi/v1.0/account/~/extension/~/message-store/111 rate_limit" in text


async def test_it_needs_no_login_shows_no_secret_and_is_not_in_the_log(
    web: httpx.AsyncClient, emulator: Emulator, mailbox: httpx.AsyncClient
) -> None:
    token = mailbox.headers["Authorization"].removeprefix("Bearer ")
    await mailbox.get("message-store", params={"access_token": token})
    logged = len(emulator.requests)
    answer = await web.get(f"{emulator.server_url}/")
    assert answer.status_code == 200
    secrets = [token, emulator.jwt, emulator.client_secret, *(user.password for user in emulator.users)]
    assert not any(secret in answer.text for secret in secrets)
    assert (await web.head(f"{emulator.server_url}/")).content == b""
    assert len(emulator.requests) == logged


async def test_the_browser_may_not_load_run_or_send_anything(web: httpx.AsyncClient, emulator: Emulator) -> None:
    answer = await web.get(f"{emulator.server_url}/")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    page = Page(answer.text)
    assert not {"script", "img", "link", "iframe", "form", "base"} & page.elements.keys()
    assert not {"src", "style", "srcdoc"} & page.attributes.keys()


@pytest.mark.parametrize("scenario", ["office", "hostile"])
async def test_no_message_can_break_it(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, scenario: Scenario
) -> None:
    monkeypatch.setattr(status_page, "_MESSAGES_SHOWN", 1_000)
    with Emulator(scenario=scenario) as emulator:
        count = len(emulator.store.messages())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=emulator.app)) as client:
            page = await page_of(client, emulator)
    assert page.unclosed == []
    assert set(page.elements) <= {
        "html", "head", "meta", "title", "style", "body", "main", "header", "h1", "h2", "p", "section", "div", "dl",
        "dt", "dd", "table", "thead", "tbody", "tr", "th", "td", "bdi", "time", "span", "b", "meter", "a",
    }  # fmt: skip
    assert page.attributes.keys() <= {
        "lang", "charset", "name", "content", "http-equiv", "class", "value", "max", "high", "optimum", "href"
    }  # fmt: skip
    assert page.elements["tr"] > count
    kinds = {unicodedata.category(character) for character in page.text} - {"Cc"}
    assert not kinds & {"Cf", "Cs", "Cn", "Co", "Zl", "Zp"}
    assert {c for c in page.text if unicodedata.category(c) == "Cc"} <= {"\n"}


@pytest.mark.parametrize(
    "query", ["<script>alert(1)</script>", "%22%3E%3Cimg src=x%3E", "%E2%80%AE%1B[2J", "%ED%A0%80", "x" * 20_000]
)
async def test_no_request_can_break_it(
    web: httpx.AsyncClient, emulator: Emulator, mailbox: httpx.AsyncClient, query: str
) -> None:
    await mailbox.get(f"message-store?{query}={query}")
    await mailbox.get(f"{query}/")
    answer = await web.get(f"{emulator.server_url}/")
    page = Page(answer.text)
    assert page.unclosed == []
    assert not {"script", "img"} & page.elements.keys()
    assert len(answer.text) < 30_000


async def test_the_media_host_has_no_such_page(emulator: Emulator) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=emulator.app.media)) as client:
        assert (await client.get("http://media/")).status_code == 404
