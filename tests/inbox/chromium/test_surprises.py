"""What a page says when something changed behind it: it never shows a yes that did not count."""

from datetime import timedelta

import pytest
from playwright.async_api import expect

from rc_mcp.guard.state.plans import LIFETIME
from rc_mcp.inbox.app import PREFIX
from rc_mcp.inbox.browser import page_address
from tests.desk import Desk
from tests.inbox.chromium.app_host import NO_MEDIA, app_host
from tests.inbox.chromium.opened import BROWSER, CHAT_APP, Door, served
from tests.inbox.chromium.story import PAGES, TEXTS, WHO, add_story
from tests.inbox.chromium.user import User
from tests.inbox.chromium.visits import Visit
from tests.inbox.doors import app_client, secret_of

pytestmark = pytest.mark.anyio

BOTH = pytest.mark.parametrize("door", [BROWSER, CHAT_APP], ids=["browser", "app"])
REFUSED = "409"


async def plan_to_delete_texts(user: User) -> None:
    """Open a plan for the story's three texts."""
    await user.open_conversation(WHO)
    await user.tick([user.message(text) for text in TEXTS])
    await user.propose()


@BOTH
async def test_a_message_that_is_gone_is_an_error_in_its_place(door: Door, visit: Visit, desk: Desk) -> None:
    story = add_story(desk)
    visit.expects(REFUSED)
    async with door.opened(visit, desk) as user:
        await user.open_conversation(WHO)
        fax_there = desk.emulator.store.find(story.fax)
        assert fax_there
        desk.emulator.store.move(fax_there, "Purged")
        await user.button(f"Show {PAGES} pages").click()
        fax = user.view.get_by_role("article").filter(has_text="Fax")
        await expect(fax.get_by_role("alert")).not_to_be_empty()
        await expect(user.view.get_by_role("img", name="Page 1 of")).to_have_count(0)


@BOTH
async def test_a_conversation_that_is_read_again_lacks_what_was_deleted_elsewhere(
    door: Door, visit: Visit, desk: Desk
) -> None:
    story = add_story(desk)
    async with door.opened(visit, desk) as user:
        await user.open_conversation(WHO)
        await expect(user.message(TEXTS[0])).to_have_count(1)
        text = desk.emulator.store.find(story.texts[0])
        assert text
        desk.emulator.store.move(text, "Deleted")
        desk.clock.time += timedelta(minutes=1)
        await user.button("Refresh").click()
        await expect(user.message(TEXTS[0])).to_have_count(0)


@BOTH
async def test_a_plan_that_expires_under_the_finger_is_not_shown_as_approved(
    door: Door, visit: Visit, desk: Desk
) -> None:
    story = add_story(desk)
    visit.expects(REFUSED)
    async with door.opened(visit, desk) as user:
        await plan_to_delete_texts(user)
        desk.clock.time += LIFETIME
        await user.button(f"Delete {len(TEXTS)} messages").click()
        await expect(user.title).to_contain_text("over")
        await expect(user.button("Undo")).to_have_count(0)
    assert [desk.availability(id_) for id_ in story.texts] == ["Alive"] * 3


@BOTH
async def test_a_plan_that_expires_while_it_is_looked_at_ends_by_itself(door: Door, visit: Visit, desk: Desk) -> None:
    add_story(desk)
    async with door.opened(visit, desk) as user:
        await plan_to_delete_texts(user)
        yes = user.button(f"Delete {len(TEXTS)} messages")
        desk.clock.time += LIFETIME + timedelta(seconds=1)
        await expect(yes).to_have_count(0)  # at the next look for plans
        await expect(user.title).to_contain_text("over")


async def test_of_two_pages_the_second_says_that_the_plan_was_decided_elsewhere(visit: Visit, desk: Desk) -> None:
    story = add_story(desk)
    visit.expects(REFUSED)
    async with served(desk) as server:
        one = await server.open(visit.page)
        await plan_to_delete_texts(one)
        other = await server.open(await visit.context.new_page())
        await other.button("Review").click()
        await one.choices.last.uncheck()
        await one.button("Delete 2 messages").click()
        await expect(one.button("Undo")).to_be_visible()
        await expect(other.title).to_contain_text("over")
        await expect(other.button("Delete 3 messages")).to_have_count(0)
    assert [desk.availability(id_) for id_ in story.texts] == ["Deleted", "Deleted", "Alive"]


async def test_pages_that_press_at_once_show_one_yes(visit: Visit, desk: Desk) -> None:
    add_story(desk)
    visit.expects(REFUSED)
    async with served(desk) as server:
        one = await server.open(visit.page)
        await plan_to_delete_texts(one)
        other = await server.open(await visit.context.new_page())
        await other.button("Review").click()
        name = f"Delete {len(TEXTS)} messages"
        await expect(other.button(name)).to_be_visible()
        press = "(name) => [...document.querySelectorAll('button')].find((b) => b.textContent === name).click()"
        await one.view.evaluate(press, name)
        await other.view.evaluate(press, name)
        for user in (one, other):
            await expect(user.button(name)).to_have_count(0)
        titles = sorted([await one.title.inner_text(), await other.title.inner_text()])
        assert titles[0] == "Done"
        assert "over" in titles[1]
        undos = [await user.view.locator("#pane").get_by_role("button", name="Undo").count() for user in (one, other)]
    assert sum(undos) == 1
    assert len(desk.sent("DELETE")) == 1


async def test_a_server_that_is_gone_is_said_and_its_yes_is_not_shown(visit: Visit, desk: Desk) -> None:
    story = add_story(desk)
    visit.expects("ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_SOCKET_NOT_CONNECTED")
    async with served(desk) as server:
        user = await server.open(visit.page)
        await plan_to_delete_texts(user)
    await user.button(f"Delete {len(TEXTS)} messages").click()
    await expect(user.view.locator("#pane").get_by_role("alert")).to_contain_text("rc-mcp")
    await expect(user.button("Undo")).to_have_count(0)
    assert [desk.availability(id_) for id_ in story.texts] == ["Alive"] * 3


async def test_a_server_that_was_started_again_knows_no_old_page(visit: Visit, desk: Desk) -> None:
    add_story(desk)
    visit.expects("ERR_CONNECTION|ERR_EMPTY_RESPONSE|ERR_SOCKET|401")
    async with served(desk) as server:
        user = await server.open(visit.page)
        await plan_to_delete_texts(user)
    async with served(desk, port=server.port):
        await user.button(f"Delete {len(TEXTS)} messages").click()
        await expect(user.view.get_by_role("alert").filter(has_text="rc-mcp inbox").first).to_be_visible()
        await expect(user.button("Undo")).to_have_count(0)
        await visit.page.reload()
        await expect(User(visit.page.main_frame).view.get_by_role("alert").first).to_contain_text("rc-mcp inbox")
    assert desk.sent("DELETE") == []


async def test_a_reload_keeps_the_session_and_a_key_opens_only_once(visit: Visit, desk: Desk) -> None:
    add_story(desk)
    visit.expects("403|401")
    async with served(desk) as server:
        key = page_address(server.port, server.keys.new())
        await visit.page.goto(key)
        user = User(visit.page.main_frame)
        await expect(user.view.locator("#conversations")).to_contain_text(WHO)
        assert "#" not in visit.page.url
        await visit.page.reload()
        await expect(user.view.locator("#conversations")).to_contain_text(WHO)
        second = await visit.context.new_page()
        await second.goto(key)
        await expect(second.get_by_role("alert").first).to_contain_text("rc-mcp inbox")


async def test_a_host_that_plays_no_sound_is_said_with_another_way(visit: Visit, desk: Desk) -> None:
    add_story(desk)
    visit.expects("Content Security Policy")
    async with app_client(desk) as client, app_host(visit, client, policy=NO_MEDIA) as host:
        user = User(await host.open("open_inbox"), host)
        await user.open_conversation(WHO)
        await user.button("Play").click()
        await expect(user.view.get_by_role("article").filter(has_text="rc-mcp inbox").first).to_be_visible()


async def test_a_host_that_plays_no_sound_saves_it_if_it_can(visit: Visit, desk: Desk) -> None:
    add_story(desk)
    visit.expects("Content Security Policy")
    async with app_client(desk) as client, app_host(visit, client, policy=NO_MEDIA) as host:
        host.capabilities["downloadFile"] = {}
        user = User(await host.open("open_inbox"), host)
        await user.open_conversation(WHO)
        await user.button("Play").click()
        voicemail = user.view.get_by_role("article").filter(has_text="Voicemail from")
        await voicemail.get_by_role("button", name="Save file").click()
        await user.view.wait_for_function("() => !document.querySelector('[aria-busy=true]')")
        [saved] = [params for method, params in host.view_asked if method == "ui/download-file"]
        assert saved["contents"][0]["resource"]["mimeType"] == "audio/mpeg"


async def test_the_secret_is_nowhere_in_the_view_and_the_model_never_saw_it(visit: Visit, desk: Desk) -> None:
    story = add_story(desk)
    async with app_client(desk) as client, app_host(visit, client) as host:
        asked = await host.model_calls("delete_message", message_id=list(story.texts))
        secret = secret_of(asked)
        assert secret
        user = User(await host.show("delete_message", asked), host)
        await expect(user.button(f"Delete {len(TEXTS)} messages")).to_be_visible()
        assert secret not in await user.view.content()
        stored = await user.view.evaluate("[document.cookie, ...Object.keys(window)].join()")
        assert secret not in stored
        await user.button(f"Delete {len(TEXTS)} messages").click()
        await expect(user.button("Undo")).to_be_visible()
        assert secret not in "".join(host.model_saw)
        sent = [params for _, params in host.view_asked if secret in str(params)]
        assert [params["name"] for params in sent] == [f"{PREFIX}decide"]
    assert [desk.availability(id_) for id_ in story.texts] == ["Deleted"] * 3


async def test_in_a_chat_that_shows_its_model_all_tools_no_button_deletes(visit: Visit, desk: Desk) -> None:
    story = add_story(desk)
    async with (
        app_client(desk, name="cursor-vscode") as client,
        app_host(visit, client, shows_app_tools=True) as host,
    ):
        assert f"{PREFIX}decide" in host.offered_to_model()
        asked = await host.model_calls("delete_message", message_id=list(story.texts))
        assert secret_of(asked) is None
        [plan] = desk.plans.waiting()
        for secret in ("", plan.id):
            yes = {"plan_id": plan.id, "approve": True, "message_ids": list(story.texts), "secret": secret}
            answer = await host.model_calls(f"{PREFIX}decide", **yes)
            assert answer.is_error
    assert desk.sent("DELETE") == []


async def test_a_chat_changes_the_theme_and_gives_the_whole_screen(visit: Visit, desk: Desk) -> None:
    async with app_client(desk) as client, app_host(visit, client) as host:
        user = User(await host.open("open_inbox"), host)
        colour = "() => getComputedStyle(document.body).backgroundColor"
        light = await user.view.evaluate(colour)
        await host.change(theme="dark")
        await user.view.wait_for_function(f"light => ({colour})() !== light", arg=light)
        await user.button("Full screen").click()
        await expect(user.button("Smaller")).to_be_visible()


@BOTH
async def test_a_conversation_is_open_again_after_its_newest_message_was_deleted(
    door: Door, visit: Visit, desk: Desk
) -> None:
    add_story(desk)
    visit.expects(REFUSED)
    async with door.opened(visit, desk) as user:
        await plan_to_delete_texts(user)
        await user.button(f"Delete {len(TEXTS)} messages").click()
        await expect(user.button("Undo")).to_be_visible()
        await user.back()
        await expect(user.view.get_by_role("article")).to_have_count(2, timeout=5_000)
