"""The pages of messages: what they show, and their safety against the files and texts of senders."""

import base64
import re
import unicodedata
from collections.abc import Sequence

import httpx2 as httpx
import pytest

from rc_mcp.emulator import Draft, Emulator, File, Party
from rc_mcp.emulator.mailbox import media_files
from rc_mcp.emulator.scenarios.scenarios import Scenario
from rc_mcp.emulator.service import message_page
from rc_mcp.emulator.service.message_page import Picture
from tests.emulator.service.test_status_page import Page

pytestmark = pytest.mark.anyio

ELEMENTS = {
    "html", "head", "meta", "title", "style", "body", "main", "header", "h1", "h2", "p", "section", "dl", "div", "dt",
    "dd", "bdi", "a", "img", "audio",
}  # fmt: skip
ATTRIBUTES = {"lang", "charset", "name", "content", "class", "href", "alt", "src", "controls"}
SCRIPT = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(2)</script></svg>"
FORGED = Picture('image/png"><script>alert(3)</script>', '"><script>alert(4)</script>')


async def drawn(_: bytes) -> Sequence[Picture]:
    return [Picture("image/png", "AAAA"), FORGED]


def client_of(emulator: Emulator) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=emulator.app), base_url=emulator.server_url)


async def page_of(emulator: Emulator, draft: Draft) -> str:
    async with client_of(emulator) as client:
        return (await client.get(f"/messages/{emulator.store.add(draft)['id']}")).text


def embedded(text: str) -> list[str]:
    return re.findall(r' src="([^"]*)"', text)


async def test_the_status_page_leads_to_each_message_and_each_leads_back(web: httpx.AsyncClient) -> None:
    with Emulator() as emulator:
        async with client_of(emulator) as client:
            status = (await client.get("/")).text
            links = re.findall(r'<a href="(/messages/[0-9]+)">', status)
            assert {link.rpartition("/")[2] for link in links} == {str(m["id"]) for m in emulator.store.messages()}
            assert status.count("href=") == len(links)
            pages = {(await client.get(link)).status_code for link in links[:3]}
            assert pages == {200}
            assert re.findall(r'href="([^"]*)"', (await client.get(links[0])).text) == ["/"]


async def test_a_text_is_shown_whole_and_once_with_its_lines(emulator: Emulator) -> None:
    words = "See you at nine.\n\n" + "long " * 50 + "end"
    page = Page(await page_of(emulator, Draft(type="SMS", sender=Party(name="Ana"), text=words)))
    assert [" ".join(page.text.split()).count(part) for part in ("See you at nine.", "long end", "Ana")] == [1, 1, 1]


async def test_a_voicemail_has_its_recording_and_its_transcript(emulator: Emulator) -> None:
    sound = media_files.read("new-client.mp3")
    voicemail = Draft(type="VoiceMail", media=("new-client.mp3",), transcript="Please call me back.")
    text = await page_of(emulator, voicemail)
    assert embedded(text) == [f"data:audio/mpeg;base64,{base64.b64encode(sound).decode()}"]
    assert "Please call me back." in Page(text).text


async def test_a_fax_is_shown_as_the_pictures_that_were_drawn() -> None:
    given: list[bytes] = []

    async def draw(data: bytes) -> Sequence[Picture]:
        given.append(data)
        return [Picture("image/png", "AAAA"), Picture("image/jpeg", "BBBB")]

    with Emulator(scenario="empty", draw_pages=draw) as emulator:
        text = await page_of(emulator, Draft(type="Fax", media=(File("x.pdf", b"%PDF-1.4 ..."),)))
    assert given == [b"%PDF-1.4 ..."]
    assert embedded(text) == ["data:image/png;base64,AAAA", "data:image/jpeg;base64,BBBB"]


async def test_without_a_way_to_draw_it_a_fax_is_named_and_not_sent(emulator: Emulator) -> None:
    text = await page_of(emulator, Draft(type="Fax", media=("referral-maria-costa.pdf",)))
    assert embedded(text) == []
    assert "application/pdf" in Page(text).text


@pytest.mark.parametrize("name", ["x.svg", "x.html", "x.pdf", "x.xml", "x.js", "x.png", "x.mp3", "x.txt", "x.tif"])
@pytest.mark.parametrize("label", [None, "text/html", "image/svg+xml", "audio/mpeg", "text/plain", "image/png"])
async def test_a_file_of_a_sender_is_never_markup(name: str, label: str | None) -> None:
    file = File(name, SCRIPT, content_type=label) if label else File(name, SCRIPT)
    draft = Draft(type="SMS", text="x", media=(file,), file_names=("<script>alert(5)</script>.svg",))
    with Emulator(scenario="empty", draw_pages=drawn) as emulator:
        text = await page_of(emulator, draft)
    page = Page(text)
    assert page.unclosed == []
    assert set(page.elements) <= ELEMENTS
    assert page.attributes.keys() <= ATTRIBUTES
    assert all(re.match(r"data:(image/png|audio/mpeg)", source) for source in embedded(text))


async def test_no_address_of_these_pages_has_a_file_of_a_sender(emulator: Emulator) -> None:
    record = emulator.store.add(Draft(type="Fax", media=("referral-maria-costa.pdf",)))
    message, attachment = record["id"], record["attachments"][0]["id"]
    paths = [f"/messages/{message}/{attachment}", f"/messages/{message}/content/{attachment}", f"/{attachment}"]
    paths.append(httpx.URL(record["attachments"][0]["uri"]).path)
    transport = httpx.ASGITransport(app=emulator.app.pages)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as browser:
        assert [(await browser.get(path)).status_code for path in paths] == [404] * len(paths)
        assert (await browser.get(f"/messages/{message}")).status_code == 200


async def test_the_browser_may_run_nothing_and_load_only_what_the_page_contains(emulator: Emulator) -> None:
    message = emulator.store.add(Draft(type="SMS", text="Hello"))["id"]
    async with client_of(emulator) as client:
        for path, status in ((f"/messages/{message}", 200), ("/messages/1", 404)):
            answer = await client.get(path)
            assert answer.status_code == status
            policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
            assert policy.pop("style-src").startswith("'sha256-")
            assert policy == {
                "default-src": "'none'",
                "img-src": "data:",
                "media-src": "data:",
                "form-action": "'none'",
                "base-uri": "'none'",
                "frame-ancestors": "'none'",
            }
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("scenario", ["office", "hostile", "recorded"])
async def test_no_message_can_break_its_page(scenario: Scenario) -> None:
    with Emulator(scenario=scenario, draw_pages=drawn) as emulator:
        async with client_of(emulator) as client:
            for message in emulator.store.messages():
                answer = await client.get(f"/messages/{message['id']}")
                page = Page(answer.text)
                assert answer.status_code == 200
                assert page.unclosed == []
                assert set(page.elements) <= ELEMENTS
                assert page.attributes.keys() <= ATTRIBUTES
                kinds = {unicodedata.category(character) for character in page.text}
                assert not kinds & {"Cf", "Cs", "Cn", "Co", "Zl", "Zp"}
                assert {c for c in page.text if unicodedata.category(c) == "Cc"} <= {"\n"}


@pytest.mark.parametrize("message_id", ["1", "", "x", "0" * 30, "1/2", "%3Cscript%3E", "\u0661"])
async def test_an_unknown_message_is_a_page_that_says_so(emulator: Emulator, message_id: str) -> None:
    async with client_of(emulator) as client:
        answer = await client.get(f"/messages/{message_id}")
    assert answer.status_code == 404
    assert "<script>" not in answer.text


async def test_a_purged_message_and_a_fax_that_is_not_ready_have_no_content() -> None:
    asked: list[bytes] = []

    async def draw(data: bytes) -> Sequence[Picture]:
        asked.append(data)
        return []

    purged = Draft(type="VoiceMail", media=("new-client.mp3",), availability="Purged")
    queued = Draft(type="Fax", direction="Outbound", media=("velmont-order.pdf",), status="Queued")
    with Emulator(scenario="empty", draw_pages=draw, time_scale=0) as emulator:
        for draft in (purged, queued):
            assert embedded(await page_of(emulator, draft)) == []
    assert asked == []


async def test_a_large_file_and_too_many_files_are_not_part_of_the_page(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_page, "_MOST_BYTES", 100)
    monkeypatch.setattr(message_page, "_MOST_ATTACHMENTS", 2)
    files = tuple(File(f"{n}.mp3", bytes(n)) for n in (101, 100, 99))
    text = await page_of(emulator, Draft(type="SMS", text="x", media=files))
    assert len(embedded(text)) == 1
    assert Page(text).elements["section"] == 4


async def test_looking_at_a_message_changes_nothing_and_is_not_in_the_log(emulator: Emulator) -> None:
    before = emulator.store.add(Draft(type="VoiceMail", media=("new-client.mp3",)))
    async with client_of(emulator) as client:
        assert (await client.get(f"/messages/{before['id']}")).status_code == 200
        assert (await client.head(f"/messages/{before['id']}")).content == b""
    assert emulator.store.message(before["id"]) == before
    assert emulator.requests == []


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::1]x", ""])
async def test_the_pages_alone_are_for_browsers_on_this_machine(emulator: Emulator, host: str) -> None:
    message = emulator.store.add(Draft(type="SMS", text="Hello"))["id"]
    transport = httpx.ASGITransport(app=emulator.app.pages)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:80") as browser:
        for path in ("/", f"/messages/{message}"):
            assert (await browser.get(path)).status_code == 200
            assert (await browser.get(path, headers={"Host": host})).status_code == 421
        assert (await browser.get("/restapi/v1.0")).status_code == 404
        assert (await browser.post("/")).status_code == 404
