import base64
import logging
from pathlib import Path
from unittest.mock import MagicMock

import anyio
import anyio.abc
import httpx2 as httpx
import pytest

from rc_mcp.guard.state.plans import LIFETIME
from rc_mcp.inbox import browser as door
from rc_mcp.inbox import reading
from rc_mcp.inbox.browser import HOST, SESSION_HEADER, Keys, application, listening_socket, serving
from rc_mcp.inbox.desk import Desk as InboxDesk
from rc_mcp.inbox.page import content_security_policy, html
from rc_mcp.media import transcription
from rc_mcp.media.sentences import Sentence
from rc_mcp.media.speech_model import SpeechModel
from rc_mcp.media.transcription import Transcriber, Transcription
from rc_mcp.views.changes import MAYBE_CHANGED
from tests.desk import Desk, call
from tests.inbox.doors import OWN, PORT, Page, browser

pytestmark = pytest.mark.anyio


async def test_the_page_is_the_same_for_everybody_and_loads_nothing_else(desk: Desk) -> None:
    async with browser(desk) as page:
        answer = await page.http.get(f"{OWN}/", headers={"Host": f"{HOST}:{PORT}"})
    assert answer.text == html()
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert not any(word in content_security_policy() for word in ("unsafe", "http:", "https:", "*"))
    assert html().count("<script>") == html().count("<style>") == 1
    assert "style=" not in html()
    assert len(html().encode()) <= 60_000


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": f"localhost:{PORT}"},
        {"Host": "attacker.example"},
        {"Host": HOST},
        {"Host": f"{HOST}:{PORT + 1}"},
        {"Origin": "https://attacker.example"},
        {"Origin": f"http://{HOST}:{PORT + 1}"},
        {"Origin": f"http://localhost:{PORT}"},
        {"Origin": f"https://{HOST}:{PORT}"},
        {"Origin": "null"},
        {"Origin": None},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "none"},
        {"Content_Type": "text/plain"},
        {"Content_Type": "application/x-www-form-urlencoded"},
        {"Content_Type": None},
        {"Inbox_Session": None},
        {"Inbox_Session": "guess"},
        {"Inbox_Session": ""},
    ],
)
async def test_a_request_that_is_not_the_page_s_own_is_refused(desk: Desk, headers: dict[str, str | None]) -> None:
    ids = desk.ids(availability="Alive")[:1]
    async with browser(desk) as page:
        plan = await page.call("propose", message_ids=ids)
        yes = {"plan_id": plan["id"], "approve": True, "message_ids": ids}
        answer = await page.post("/api/decide", yes, **headers)
        assert answer.status_code in {401, 403, 421}
        assert desk.availability(ids[0]) == "Alive"
        assert (await page.call("decide", **yes))["counted"]


async def test_a_key_opens_one_session_and_its_second_use_ends_that(desk: Desk) -> None:
    async with browser(desk) as page:
        key = page.keys.new()
        first = await page.post("/session", {"key": key})
        page.headers[SESSION_HEADER] = first.json()["session"]
        await page.call("plans")
        assert (await page.post("/session", {"key": key})).status_code == 403
        assert (await page.post("/api/plans", {})).status_code == 401


@pytest.mark.parametrize(
    "given", [{}, {"key": None}, {"key": 1}, {"key": ""}, {"key": "guess"}, {"key": ["a"]}, {"key": "\ud800"}]
)
async def test_without_its_key_no_session_is_opened(desk: Desk, given: dict[str, object]) -> None:
    async with browser(desk) as page:
        page.keys.new()
        assert (await page.post("/session", given)).status_code == 403


def test_a_key_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    at = [0.0]
    monkeypatch.setattr(door.anyio, "current_time", lambda: at[0])
    keys = Keys()
    early, late = keys.new(), keys.new()
    at[0] = door.KEY_LASTS_S - 1
    assert keys.open(early)
    at[0] = door.KEY_LASTS_S
    assert keys.open(late) is None


def test_the_oldest_session_ends_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    at = [0.0]
    monkeypatch.setattr(door.anyio, "current_time", lambda: at[0])
    keys = Keys()
    tokens = list[str]()
    for _ in range(21):
        at[0] += 1
        token = keys.open(keys.new())
        assert token
        tokens.append(token)
    assert [keys.knows(t) for t in tokens] == [False] + [True] * 20
    assert keys.is_watched()
    at[0] += door.SEEN_WITHIN_S
    assert not keys.is_watched()


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"1", b"{", b'{"a":', b"null", b"\xff", b"[" * 60_000, b'{"a":"' + b"x" * 70_000 + b'"}']
)
async def test_a_body_that_is_no_small_object_is_refused(desk: Desk, body: bytes) -> None:
    async with browser(desk) as page:
        answer = await page.http.post(f"{OWN}/api/plans", content=body, headers=page.headers)
    assert answer.status_code == 400


async def test_a_request_with_an_endless_head_is_ended() -> None:
    async def send_more(stream: anyio.abc.SocketStream) -> None:
        for _ in range(64):
            await stream.send(b"x" * 1_000_000)

    with listening_socket(0) as listening:
        port = listening.getsockname()[1]
        app = application(InboxDesk(MagicMock(), "read", "browser"), Keys(), port)
        async with serving(app, listening), await anyio.connect_tcp(HOST, port) as stream:
            await stream.send(b"GET / HTTP/1.1\r\nX: ")
            with pytest.raises(anyio.BrokenResourceError):
                await send_more(stream)


async def test_what_the_user_approves_in_the_browser_is_carried_out(desk: Desk) -> None:
    ids = desk.ids(availability="Alive")[:3]
    async with desk.client() as client, browser(desk) as page:
        asked = await call(client, "delete_message", message_id=ids)
        (plan,) = (await page.call("plans"))["plans"]
        assert (plan["id"], plan["decidable"], plan["may_shrink"]) == (asked["plan_id"], True, True)
        assert [m["id"] for m in plan["messages"]] == ids
        done = await page.call("decide", plan_id=plan["id"], approve=True, message_ids=ids[:2])
        assert (done["counted"], done["status"], set(done["outcomes"])) == (True, "done", set(ids[:2]))
        after = await page.call("plans")
        assert after["plans"] == []
        (operation,) = after["operations"]
        assert (operation["approved_by"], operation["counts"], operation["may_undo"]) == (
            "browser",
            {"deleted": 2},
            True,
        )
        assert (await page.call("undo", operation_id=operation["id"]))["status"] == "done"
        assert [o["may_undo"] for o in (await page.call("plans"))["operations"]] == [False, False]
    assert [desk.availability(i) for i in ids] == ["Alive"] * 3


async def test_a_purge_takes_the_phrase_for_what_is_still_ticked(desk: Desk) -> None:
    ids = desk.ids(availability="Alive")[:3]
    async with desk.client() as client, browser(desk) as page:
        asked = await call(client, "delete_message", message_id=ids, purge=True)
        assert asked["approve_in"] == "terminal"
        yes = {"plan_id": asked["plan_id"], "approve": True, "message_ids": ids[:2]}
        for phrase in ({}, {"phrase": "PURGE 3"}, {"phrase": "purge 2"}, {"phrase": "PURGE"}):
            refused = await page.call("decide", **yes, **phrase)
            assert (refused["counted"], refused["status"]) == (False, "refused")
        done = await page.call("decide", **yes, phrase="PURGE 2")
        assert (done["counted"], done["status"]) == (True, "done")
    assert [desk.availability(i) for i in ids] == ["Purged", "Purged", "Alive"]


async def test_human_approval_may_be_given_in_the_browser(desk: Desk) -> None:
    ids = desk.ids(availability="Alive")[:1]
    async with desk.client(RC_MCP_APPROVAL="human") as client, browser(desk, RC_MCP_APPROVAL="human") as page:
        asked = await call(client, "delete_message", message_id=ids)
        assert (await page.call("decide", plan_id=asked["plan_id"], approve=True, message_ids=ids))["counted"]


@pytest.mark.parametrize("ids", [[], ["1"], ["404", "405"]])
async def test_a_plan_cannot_grow(desk: Desk, ids: list[str]) -> None:
    own = desk.ids(availability="Alive")
    async with browser(desk) as page:
        plan = await page.call("propose", message_ids=own[:2])
        given = [*own[:2], own[2]] if ids == ["1"] else ids
        done = await page.call("decide", plan_id=plan["id"], approve=True, message_ids=given)
        assert (done["counted"], done["status"]) == (False, "refused")
    assert not desk.sent("DELETE")


async def test_a_plan_that_expires_under_the_finger_is_not_carried_out(desk: Desk) -> None:
    ids = desk.ids(availability="Alive")[:1]
    async with browser(desk) as page:
        plan = await page.call("propose", message_ids=ids)
        desk.clock.time += LIFETIME
        done = await page.call("decide", plan_id=plan["id"], approve=True, message_ids=ids)
        assert done["counted"] is False
    assert desk.availability(ids[0]) == "Alive"


async def test_of_two_pages_one_decides(desk: Desk) -> None:
    ids = desk.ids(availability="Alive")[:2]
    async with browser(desk) as one, browser(desk) as other:
        plan = await one.call("propose", message_ids=ids)
        yes = {"plan_id": plan["id"], "approve": True, "message_ids": ids}
        assert [p["id"] for p in (await other.call("plans"))["plans"]] == [plan["id"]]
        assert (await one.call("decide", **yes))["counted"]
        assert (await other.call("decide", **yes))["counted"] is False
        assert (await other.call("plans"))["plans"] == []
    assert len(desk.sent("DELETE")) == 1


async def test_plans_and_operations_of_another_login_are_not_shown_and_cannot_be_decided(desk: Desk) -> None:
    ids = desk.ids(availability="Alive")[:2]
    async with browser(desk) as page, browser(desk, RC_ACCESS_TOKEN="of-another-login") as other:
        done = await page.call("propose", message_ids=ids[:1])
        assert (await page.call("decide", plan_id=done["id"], approve=True, message_ids=ids[:1]))["counted"]
        waits = await page.call("propose", message_ids=ids[1:])
        seen = await other.call("plans")
        assert (seen["plans"], seen["operations"]) == ([], [])
        for approve in (True, False):
            decided = await other.call("decide", plan_id=waits["id"], approve=approve, message_ids=ids[1:])
            assert decided["counted"] is False
        assert [p["id"] for p in (await page.call("plans"))["plans"]] == [waits["id"]]
    assert desk.availability(ids[1]) == "Alive"


async def test_stop_and_resume_are_for_every_server_and_are_journaled(desk: Desk) -> None:
    ids = desk.ids(availability="Alive")[:1]
    async with desk.client() as client, browser(desk) as page:
        plan = await page.call("propose", message_ids=ids)
        assert (await page.call("stop"))["stopped"] is True
        assert (await call(client, "delete_message", message_id=ids))["status"] == "refused"
        yes = {"plan_id": plan["id"], "approve": True, "message_ids": ids}
        assert (await page.call("decide", **yes))["counted"] is False
        assert (await page.call("resume"))["stopped"] is False
        assert (await page.call("decide", **yes))["counted"] is True
    assert [e.event for e in desk.journal.entries() if e.tool == "inbox"] == ["stopped", "resumed"]


async def test_messages_are_marked_read_and_the_overview_says_so(desk: Desk) -> None:
    async with browser(desk) as page:
        before = await page.call("overview", days=30)
        unread = next(c for c in before["conversations"] if c["unread"])
        thread = await page.call("conversation", key=unread["key"], days=30)
        ids = [m["id"] for m in thread["messages"] if m["unread"]]
        marked = await page.call("mark", message_ids=ids, read=True)
        assert set(marked["outcomes"].values()) == {"updated"}
        after = await page.call("overview", days=30)
        assert sum(after["unread"].values()) == sum(before["unread"].values()) - len(ids)


async def test_the_overview_counts_what_the_mailbox_has(desk: Desk) -> None:
    async with browser(desk) as page:
        seen = await page.call("overview", days=30)
    listed = [m for m in desk.emulator.store.messages() if m["availability"] == "Alive"]
    assert seen["messages"] == len(listed)
    assert seen["missing"] is None
    assert sum(sum(day["counts"].values()) for day in seen["by_day"]) == seen["messages"]
    assert len(seen["by_day"]) == 31
    assert sum(c["messages"] for c in seen["conversations"]) == seen["messages"]


async def test_the_overview_says_that_older_messages_are_not_counted(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_MESSAGES", 5)
    async with browser(desk) as page:
        seen = await page.call("overview", days=30)
    assert seen["messages"] == 5
    assert "5" in seen["missing"]


async def test_the_overview_says_how_many_messages_could_not_be_read(desk: Desk) -> None:
    def without_an_id(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("/message-store"):
            return None
        return httpx.Response(200, json={"records": [{"id": 7}, {"subject": "no id"}], "navigation": {}, "paging": {}})

    desk.faults.before(without_an_id)
    async with browser(desk) as page:
        seen = await page.call("overview", days=30)
    assert seen["messages"] == 1
    assert "1 message " in seen["missing"]
    assert not [r for r in desk.emulator.requests if r.path.endswith("/message-store")]


async def test_a_change_whose_answer_is_lost_is_said_to_be_unknown(desk: Desk) -> None:
    ids = desk.ids(readStatus="Unread", availability="Alive")[:2]

    def lose(request: httpx.Request) -> httpx.Response | None:
        if request.method == "PUT":
            raise httpx.ReadError("connection dropped", request=request)
        return None

    desk.faults.after(lose)
    async with browser(desk) as page:
        marked = await page.call("mark", message_ids=ids, read=True)
    assert set(marked["outcomes"].values()) == {"unknown"}


@pytest.mark.usefixtures("a_short_call")
async def test_a_change_that_takes_too_long_is_said_to_be_unknown(desk: Desk) -> None:
    ids = desk.ids(readStatus="Unread", availability="Alive")[:2]
    desk.faults.hang("PUT")
    async with browser(desk) as page:
        assert (await page.refused("mark", message_ids=ids, read=True)).endswith(MAYBE_CHANGED)


@pytest.mark.usefixtures("a_short_call")
async def test_a_reading_that_takes_too_long_is_no_change(desk: Desk) -> None:
    desk.faults.hang("GET")
    async with browser(desk) as page:
        assert MAYBE_CHANGED not in await page.refused("overview")


async def test_every_message_of_the_overview_is_in_one_conversation(desk: Desk) -> None:
    async with browser(desk) as page:
        seen = await page.call("overview", days=30)
        ids = list[str]()
        for one in seen["conversations"]:
            thread = await page.call("conversation", key=one["key"], days=30)
            times = [m["time"] for m in thread["messages"]]
            assert times == sorted(times)
            ids += [m["id"] for m in thread["messages"]]
    assert len(ids) == len(set(ids)) == seen["messages"]


async def test_a_conversation_is_found_after_its_newest_message_was_deleted(desk: Desk) -> None:
    async with browser(desk) as page:
        seen = await page.call("overview", days=30)
        one = max(seen["conversations"], key=lambda c: c["messages"])
        await page.call("conversation", key=one["key"], days=30)
        plan = await page.call("propose", message_ids=[one["key"]])
        await page.call("decide", plan_id=plan["id"], approve=True, message_ids=[one["key"]])
        for _ in range(2):
            thread = await page.call("conversation", key=one["key"], days=30)
            assert len(thread["messages"]) == one["messages"] - 1


async def test_a_message_that_is_gone_is_an_error_in_words(desk: Desk) -> None:
    async with browser(desk) as page:
        assert await page.refused("conversation", key="1", days=7)
        assert await page.refused("text", message_id="1")
        assert await page.refused("file", message_id="1", attachment_id="1")
        assert await page.refused("fax_page", message_id="1", attachment_id="1")


@pytest.mark.parametrize(
    ("operation", "given"),
    [
        ("overview", {"days": 8}),
        ("overview", {"days": "7"}),
        ("overview", {"day": 7}),
        ("conversation", {"key": "../1", "days": 7}),
        ("file", {"message_id": "1/2", "attachment_id": "1"}),
        ("file", {"message_id": "1", "attachment_id": "1", "offset": -1}),
        ("fax_page", {"message_id": "1", "attachment_id": "1", "page": 0}),
        ("propose", {"message_ids": []}),
        ("propose", {"message_ids": [str(n) for n in range(201)]}),
        ("decide", {"plan_id": "x"}),
        ("nothing", {}),
        ("__init__", {}),
    ],
)
async def test_arguments_that_the_page_never_sends_are_refused_before_anything_is_sent(
    desk: Desk, operation: str, given: dict[str, object]
) -> None:
    async with browser(desk) as page:
        before = len(desk.emulator.requests)
        assert await page.refused(operation, **given)
        assert len(desk.emulator.requests) == before


async def test_a_recording_comes_whole_in_pieces(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rc_mcp.inbox.contents.PIECE_BYTES", 10_000)
    voicemail = next(m for m in desk.emulator.store.messages() if m["type"] == "VoiceMail")
    where = {"message_id": str(voicemail["id"]), "attachment_id": str(voicemail["attachments"][0]["id"])}
    whole, offset = b"", 0
    async with browser(desk) as page:
        while True:
            piece = await page.call("file", **where, offset=offset)
            whole += base64.b64decode(piece["data"])
            assert piece["offset"] == offset
            if piece["next"] is None:
                break
            offset = piece["next"]
        assert await page.refused("file", **where, offset=len(whole) + 1)
    assert len(whole) == piece["bytes"] > 10_000


@pytest.mark.process
async def test_the_pages_of_a_fax_are_turned_with_one_download(desk: Desk) -> None:
    fax = max((m for m in desk.emulator.store.messages() if m["type"] == "Fax"), key=lambda m: m["faxPageCount"])
    where = {"message_id": str(fax["id"]), "attachment_id": str(fax["attachments"][0]["id"])}
    async with browser(desk) as page:
        for number in range(1, fax["faxPageCount"] + 1):
            shown = await page.call("fax_page", **where, page=number)
            assert (shown["page"], shown["pages"]) == (number, fax["faxPageCount"])
            assert base64.b64decode(shown["data"])
        assert await page.refused("fax_page", **where, page=fax["faxPageCount"] + 1)
    assert len([r for r in desk.sent("GET") if "/content/" in r]) == 1


async def test_a_transcript_is_shown_as_text(desk: Desk) -> None:
    voicemail = next(
        m for m in desk.emulator.store.messages() if any(a["type"] == "AudioTranscription" for a in m["attachments"])
    )
    async with browser(desk) as page:
        shown = await page.call("text", message_id=str(voicemail["id"]))
    assert shown["untrusted_text"]


async def test_a_transcript_made_here_comes_with_the_times_of_its_sentences(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentences = (Sentence(0, 2.5, "Hello <b>Nadia</b>."), Sentence(2.5, 4, "Call me."))
    made = Transcription("model", is_english_only=True, languages=("en",), sentences=sentences, heard_s=4)

    async def transcribe(*_: object, **__: object) -> Transcription:
        return made

    def find(_: Transcriber) -> tuple[SpeechModel, str]:
        return SpeechModel(Path(), "model", is_english_only=True, size_bytes=1), "digest"

    monkeypatch.setattr(transcription, "transcribe", transcribe)
    monkeypatch.setattr(Transcriber, "_found", find)
    message_id = desk.ids(type="VoiceMail", vmTranscriptionStatus="Failed")[0]
    async with browser(desk, RC_MCP_TRANSCRIBE="missing", RC_MCP_TRANSCRIBE_MODEL="model") as page:
        shown = await page.call("text", message_id=message_id)
    assert shown["untrusted_text"] is None  # RingCentral made none
    assert shown["sentences"] == [
        {"from_s": s.from_s, "to_s": s.to_s, "untrusted_text": s.text} for s in made.sentences
    ]


async def test_no_key_or_session_is_logged_or_written(
    desk: Desk, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    async with browser(desk) as page:
        key = page.keys.new()
        token = (await page.post("/session", {"key": key})).json()["session"]
        page.headers[SESSION_HEADER] = token
        await page.call("plans")
        await page.call("propose", message_ids=desk.ids(availability="Alive")[:1])
    printed = capfd.readouterr()
    own = [r.getMessage() for r in caplog.records if not r.name.startswith(("httpcore", "httpx"))]
    written = b"".join(f.read_bytes() for f in desk.state_dir.rglob("*") if f.is_file())
    for secret in (key, token):
        assert secret not in printed.out + printed.err + "\n".join(own)
        assert secret.encode() not in written


async def test_a_page_without_a_session_learns_nothing(desk: Desk) -> None:
    async with browser(desk) as page:
        stranger = Page(page.http, Keys())
        answer = await stranger.post("/api/overview", {"days": 7})
        assert answer.status_code == 401
        assert set(answer.json()) == {"error"}
