import json
import logging
import secrets as secrets_of_python
from unittest.mock import MagicMock, patch

import anyio
import pytest
from mcp import Client, MCPError
from mcp.server.apps import APP_MIME_TYPE

from rc_mcp.guard.state.coordination import one_change_at_a_time
from rc_mcp.guard.state.folder import Folder
from rc_mcp.guard.state.plans import LIFETIME
from rc_mcp.inbox.app import OPEN, PREFIX, Secrets
from rc_mcp.inbox.operations import FAILED
from rc_mcp.inbox.page import URI, html
from tests.desk import NO, YES, Desk, Era, call, refused
from tests.inbox.doors import app_client, page_calls, secret_of

pytestmark = pytest.mark.anyio

ERAS: list[Era] = ["auto", "legacy"]
GUARDED = {"delete_message", "delete_message_by_filter", "update_message_store_configuration"}


async def planned(client: Client, ids: list[str]) -> tuple[str, str]:
    """Ask for a delete that the user decides in the app; return the plan's id and its secret."""
    result = await client.call_tool("delete_message", {"message_id": ids})
    assert result.structured_content is not None
    secret = secret_of(result)
    assert secret, result.structured_content
    return result.structured_content["plan_id"], secret


@pytest.mark.parametrize("era", ERAS)
async def test_only_a_client_that_shows_apps_has_the_page_and_its_tools(desk: Desk, era: Era) -> None:
    async with desk.client(era) as plain, app_client(desk, era) as app:
        without, with_page = (await plain.list_tools()).tools, (await app.list_tools()).tools
        assert not [t for t in without if t.meta or t.name == OPEN or t.name.startswith(PREFIX)]
        with pytest.raises(MCPError):
            await plain.call_tool(f"{PREFIX}plans", {})
        shown = {t.name for t in with_page if t.meta and "visibility" not in t.meta["ui"]}
        assert shown == {*GUARDED, OPEN}
        for_page = [t for t in with_page if t.name.startswith(PREFIX)]
        assert for_page
        assert all(t.meta and t.meta["ui"] == {"resourceUri": URI, "visibility": ["app"]} for t in for_page)


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_without_apps_is_given_the_tools_as_before(desk: Desk, era: Era) -> None:
    async with desk.client(era) as plain, app_client(desk, era) as app:
        before = [t.model_dump() for t in (await plain.list_tools()).tools]
        after = {t.name: t.model_dump() for t in (await app.list_tools()).tools}
    for tool in before:
        same = {k: v for k, v in after[tool["name"]].items() if k not in {"meta", "output_schema"}}
        assert same == {k: v for k, v in tool.items() if k not in {"meta", "output_schema"}}


@pytest.mark.parametrize("era", ERAS)
async def test_the_page_is_a_resource_of_the_type_that_hosts_show(desk: Desk, era: Era) -> None:
    async with app_client(desk, era) as client:
        (content,) = (await client.read_resource(URI)).contents
    assert content.mime_type == APP_MIME_TYPE
    assert content.model_dump()["text"] == html()


@pytest.mark.parametrize("era", ERAS)
async def test_a_button_with_its_secret_deletes_what_is_still_ticked(desk: Desk, era: Era) -> None:
    ids = desk.ids(availability="Alive")[:3]
    async with app_client(desk, era) as client:
        plan_id, secret = await planned(client, ids)
        done = await page_calls(client, "decide", plan_id=plan_id, approve=True, message_ids=ids[1:], secret=secret)
        assert (done["counted"], done["status"]) == (True, "done")
        assert [desk.availability(i) for i in ids] == ["Alive", "Deleted", "Deleted"]
        operation = desk.journal.operation(plan_id)
        assert operation
        assert operation.approved_by == "app"
        undone = await page_calls(client, "undo", operation_id=plan_id)
        assert undone["status"] == "done"
        assert [desk.availability(i) for i in ids] == ["Alive"] * 3


async def test_a_yes_without_the_plan_s_own_secret_never_counts(desk: Desk) -> None:
    ids = desk.ids(availability="Alive")[:4]
    async with app_client(desk) as client:
        one, secret_of_one = await planned(client, ids[:2])
        other, secret_of_other = await planned(client, ids[2:])
        for plan_id, given in (
            (one, {}),
            (one, {"secret": ""}),
            (one, {"secret": secret_of_other}),
            (other, {"secret": secret_of_one}),
            (one, {"secret": secret_of_one[:-1]}),
            (one, {"secret": one}),
        ):
            await refused(client, f"{PREFIX}decide", plan_id=plan_id, approve=True, message_ids=ids[:1], **given)
        assert not desk.sent("DELETE")
        yes = {"plan_id": one, "approve": True, "message_ids": ids[:2], "secret": secret_of_one}
        assert (await page_calls(client, "decide", **yes))["counted"]
        await refused(client, f"{PREFIX}decide", **yes)  # used up
        assert len(desk.sent("DELETE")) == 1


def test_no_guess_counts_as_a_secret() -> None:
    secrets = Secrets()
    own, other = secrets.new("plan"), secrets.new("other")
    guesses = [secrets_of_python.token_urlsafe(32) for _ in range(10_000)]
    near = [own[:n] + c + own[n + 1 :] for n in range(len(own)) for c in "Aa0_" if own[n] != c]
    shapes = [other, "", "plan", own[:-1], own + "A", "\ud800"]
    assert not any(secrets.fits(guess, "plan") for guess in [*guesses, *near, *shapes])
    assert secrets.fits(own, "plan")
    secrets.forget("plan")
    assert not secrets.fits(own, "plan")
    assert secrets.fits(other, "other")


async def test_a_yes_that_could_not_count_can_be_pressed_again(desk: Desk) -> None:
    ids = desk.ids(availability="Alive")[:2]
    async with app_client(desk) as client:
        plan_id, secret = await planned(client, ids)
        yes = {"plan_id": plan_id, "approve": True, "message_ids": ids, "secret": secret}
        await page_calls(client, "stop")
        assert (await page_calls(client, "decide", **yes))["counted"] is False
        desk.state.resume()
        async with one_change_at_a_time(desk.state):
            with patch("rc_mcp.guard.guard.PATIENCE_S", 0):
                await refused(client, f"{PREFIX}decide", **yes)
        assert (await page_calls(client, "decide", **yes))["counted"] is True
        await refused(client, f"{PREFIX}decide", **yes)
    assert len(desk.sent("DELETE")) == 1


@pytest.mark.parametrize("era", ERAS)
async def test_no_button_purges(desk: Desk, era: Era) -> None:
    ids = desk.ids(availability="Alive")[:2]
    async with app_client(desk, era) as client:
        asked = await client.call_tool("delete_message", {"message_id": ids, "purge": True})
        assert asked.structured_content
        assert asked.structured_content["approve_in"] == "terminal"
        assert secret_of(asked) is None
        plan_id = asked.structured_content["plan_id"]
        (plan,) = (await page_calls(client, "plans"))["plans"]
        assert (plan["decidable"], plan["phrase"]) == (False, "PURGE 2")
        yes = {"plan_id": plan_id, "approve": True, "message_ids": ids, "phrase": "PURGE 2", "secret": "guess"}
        await refused(client, f"{PREFIX}decide", **yes)
    assert {desk.availability(i) for i in ids} == {"Alive"}


async def test_under_human_approval_no_button_deletes(desk: Desk) -> None:
    ids = desk.ids(availability="Alive")[:2]
    async with app_client(desk, RC_MCP_APPROVAL="human") as client:
        asked = await client.call_tool("delete_message", {"message_id": ids})
        assert asked.structured_content
        assert (asked.structured_content["approve_in"], secret_of(asked)) == ("terminal", None)
        proposed = await client.call_tool(f"{PREFIX}propose", {"message_ids": ids})
        assert proposed.structured_content
        assert (proposed.structured_content["decidable"], secret_of(proposed)) == (False, None)


@pytest.mark.parametrize("era", ERAS)
async def test_a_host_that_can_ask_is_asked_and_gets_no_secret(desk: Desk, era: Era) -> None:
    ids = desk.ids(availability="Alive")[:2]
    async with app_client(desk, era, answer=NO) as client:
        asked = await client.call_tool("delete_message", {"message_id": ids})
        assert asked.structured_content
        assert (asked.structured_content["status"], secret_of(asked)) == ("declined", None)
    async with app_client(desk, era, answer=YES) as client:
        assert (await call(client, "delete_message", message_id=ids))["status"] == "done"


@pytest.mark.parametrize("name", ["Cursor", "cursor-vscode", "Cursor Nightly"])
async def test_a_host_that_shows_its_model_the_tools_of_the_page_gets_no_secret(desk: Desk, name: str) -> None:
    ids = desk.ids(availability="Alive")[:2]
    async with app_client(desk, name=name) as client:
        asked = await client.call_tool("delete_message", {"message_id": ids})
        assert asked.structured_content
        assert (asked.structured_content["approve_in"], secret_of(asked)) == ("chat", None)
        proposed = await client.call_tool(f"{PREFIX}propose", {"message_ids": ids})
        assert secret_of(proposed) is None
        await refused(
            client, f"{PREFIX}decide", plan_id=asked.structured_content["plan_id"], approve=True, message_ids=ids
        )
    assert not desk.sent("DELETE")


@pytest.mark.parametrize("era", ERAS)
async def test_the_model_s_word_is_not_enough_for_a_plan_that_was_shown_in_the_page(desk: Desk, era: Era) -> None:
    ids = desk.ids(availability="Alive")[:2]
    async with app_client(desk, era) as client:
        plan_id, _ = await planned(client, ids)
        again = await call(client, "delete_message", message_id=ids, plan_id=plan_id)
        assert (again["status"], again["approve_in"]) == ("refused", "app")
    assert not desk.sent("DELETE")


async def test_the_assistant_learns_what_the_user_did_in_the_page(desk: Desk) -> None:
    ids = desk.ids(availability="Alive")[:3]
    async with app_client(desk) as client:
        plan_id, secret = await planned(client, ids)
        await page_calls(client, "decide", plan_id=plan_id, approve=True, message_ids=ids[:1], secret=secret)
        again = await call(client, "delete_message", message_id=ids, plan_id=plan_id)
        assert again["status"] == "refused"
        assert "1 deleted" in again["said"]


async def test_a_plan_that_no_app_was_shown_has_no_button(desk: Desk) -> None:
    ids = desk.ids(availability="Alive")[:2]
    async with desk.client() as other, app_client(desk) as client:
        await call(other, "delete_message", message_id=ids[:1])
        await planned(client, ids[1:])
        assert [p["decidable"] for p in (await page_calls(client, "plans"))["plans"]] == [False, True]


async def test_an_expired_plan_is_not_carried_out(desk: Desk) -> None:
    ids = desk.ids(availability="Alive")[:1]
    async with app_client(desk) as client:
        plan_id, secret = await planned(client, ids)
        desk.clock.time += LIFETIME
        done = await page_calls(client, "decide", plan_id=plan_id, approve=True, message_ids=ids, secret=secret)
        assert (done["counted"], done["status"]) == (False, "refused")
        assert (await page_calls(client, "plans"))["plans"] == []


async def test_a_secret_ends_with_the_server_that_gave_it(desk: Desk) -> None:
    ids = desk.ids(availability="Alive")[:1]
    async with app_client(desk) as client:
        plan_id, secret = await planned(client, ids)
    async with app_client(desk) as client:
        yes = {"plan_id": plan_id, "approve": True, "message_ids": ids, "secret": secret}
        await refused(client, f"{PREFIX}decide", **yes)
    assert desk.availability(ids[0]) == "Alive"


async def test_a_no_needs_no_secret_and_is_final(desk: Desk) -> None:
    ids = desk.ids(availability="Alive")[:1]
    async with app_client(desk) as client:
        plan_id, secret = await planned(client, ids)
        done = await page_calls(client, "decide", plan_id=plan_id, approve=False)
        assert (done["counted"], done["status"]) == (True, "declined")
        yes = await page_calls(client, "decide", plan_id=plan_id, approve=True, message_ids=ids, secret=secret)
        assert yes["counted"] is False


@pytest.mark.parametrize("era", ERAS)
async def test_the_secret_is_nowhere_but_in_meta(
    desk: Desk, era: Era, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    ids = desk.ids(availability="Alive")[:2]
    async with app_client(desk, era) as client:
        result = await client.call_tool("delete_message", {"message_id": ids})
        secret = secret_of(result)
        assert secret
        said = result.model_dump(exclude={"meta"})
        plans = await page_calls(client, "plans")
        resources = [r.model_dump_json() for r in (await client.list_resources()).resources]
        assert result.structured_content
        again = await call(client, "delete_message", message_id=ids, plan_id=result.structured_content["plan_id"])
        refusal = await refused(client, f"{PREFIX}decide", plan_id="none", approve=True, message_ids=ids, secret=secret)
        text = json.dumps([said, plans, resources, again, refusal], default=str)
    printed = capfd.readouterr()
    assert secret not in text + caplog.text + printed.out + printed.err
    written = b"".join(f.read_bytes() for f in desk.state_dir.rglob("*") if f.is_file())
    assert secret.encode() not in written


@pytest.mark.parametrize("level", ["read", "triage"])
async def test_a_lower_access_level_has_fewer_buttons(desk: Desk, level: str) -> None:
    ids = desk.ids(availability="Alive")[:1]
    async with app_client(desk, RC_MCP_ACCESS=level) as client:
        names = {t.name for t in (await client.list_tools()).tools}
        assert not names & {f"{PREFIX}propose", f"{PREFIX}decide"}
        assert (f"{PREFIX}mark" in names) == (level == "triage")
        with pytest.raises(MCPError):
            await client.call_tool(f"{PREFIX}propose", {"message_ids": ids})


async def test_a_lower_access_level_decides_no_plan_of_a_server_with_a_higher_one(desk: Desk) -> None:
    ids = desk.ids(availability="Alive")[:1]
    async with desk.client() as client, app_client(desk, RC_MCP_ACCESS="triage") as app:
        await call(client, "delete_message", message_id=ids)
        (plan,) = (await page_calls(app, "plans"))["plans"]
    assert (plan["decidable"], bool(plan["why_not"])) == (False, True)


async def test_a_failure_that_nobody_foresaw_tells_no_text_of_its_own(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with app_client(desk) as client:
        monkeypatch.setattr(Folder, "stop", MagicMock(side_effect=RuntimeError("/home/ana")))
        assert await refused(client, f"{PREFIX}stop") == FAILED


async def test_a_yes_whose_client_is_gone_is_settled_at_once(desk: Desk, era: Era) -> None:
    ids = desk.ids(availability="Alive")[:2]
    desk.faults.hang("DELETE", after=True)
    async with app_client(desk, era) as client, anyio.create_task_group() as tasks:
        plan_id, secret = await planned(client, ids)
        yes = {"plan_id": plan_id, "approve": True, "message_ids": ids, "secret": secret}
        tasks.start_soon(client.call_tool, f"{PREFIX}decide", yes)
        with anyio.fail_after(20):  # the server settles every 30 seconds too
            while not desk.sent("DELETE"):  # noqa: ASYNC110  the emulator sends no event
                await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            assert (await desk.settled(plan_id)).outcomes == dict.fromkeys(ids, "deleted")
    assert len(desk.sent("DELETE")) == 1


async def test_resuming_is_not_possible_from_an_app(desk: Desk) -> None:
    async with app_client(desk) as client:
        assert (await page_calls(client, "stop"))["stopped"] is True
        assert (await page_calls(client, "plans"))["stopped"] is True
        with pytest.raises(MCPError):
            await client.call_tool(f"{PREFIX}resume", {})


async def test_answers_of_the_page_s_tools_are_smaller_than_a_megabyte(desk: Desk) -> None:
    async with app_client(desk) as client:
        fax = next(m for m in desk.emulator.store.messages() if m["type"] == "Fax")
        (file, *_) = fax["attachments"]
        piece = await client.call_tool(
            f"{PREFIX}file", {"message_id": str(fax["id"]), "attachment_id": str(file["id"])}
        )
        assert len(piece.model_dump_json()) < 1_000_000
