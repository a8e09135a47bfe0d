"""update_message and patch_message: reversible changes need no approval, and each id gets its outcome."""

import pytest

from tests.desk import YES, Desk, Era, call, refused

pytestmark = pytest.mark.anyio


async def test_messages_are_marked_read_and_unread(desk: Desk, era: Era) -> None:
    unread = desk.ids(readStatus="Unread", availability="Alive")[:3]
    async with desk.client(era) as client:
        answer = await call(client, "update_message", message_id=unread, read_status="Read")
        assert not set(unread) & set(desk.ids(readStatus="Unread"))
        back = await call(client, "update_message", message_id=unread, read_status="Unread")
    assert answer["status"] == back["status"] == "done"
    assert answer["outcomes"] == dict.fromkeys(unread, "updated")
    assert set(unread) <= set(desk.ids(readStatus="Unread"))


async def test_an_unknown_id_does_not_spoil_the_others(desk: Desk, era: Era) -> None:
    unread = desk.ids(readStatus="Unread", availability="Alive")[0]
    async with desk.client(era) as client:
        answer = await call(client, "update_message", message_id=[unread, "404"], read_status="Read")
    assert answer["status"] == "partial"
    assert answer["outcomes"] == {unread: "updated", "404": "not_found"}


async def test_all_messages_of_the_office_are_marked_in_one_request(desk: Desk) -> None:
    everything = desk.ids(availability="Alive")
    assert len(everything) > 50
    async with desk.client() as client:
        answer = await call(client, "update_message", message_id=everything, read_status="Read")
    assert answer["outcomes"] == dict.fromkeys(everything, "updated")
    assert len(desk.sent("PUT")) == 1


async def test_a_deleted_message_is_restored_with_its_attachments(desk: Desk, era: Era) -> None:
    target = desk.ids(type="VoiceMail", availability="Alive")[0]
    async with desk.client(era, answer=YES) as client:
        await call(client, "delete_message", message_id=target)
        assert desk.availability(target) == "Deleted"
        answer = await call(client, "patch_message", message_id=target, availability="Alive", read_status="Unread")
        content = await call(client, "read_message_content", message_id=target, attachment_id=target)
    assert answer["outcomes"] == {target: "restored"}
    assert desk.availability(target) == "Alive"
    assert content["content_type"] == "audio/mpeg"


async def test_a_message_that_was_never_deleted_is_not_called_restored(desk: Desk, era: Era) -> None:
    alive, deleted = desk.ids(availability="Alive")[0], desk.ids(availability="Deleted")[0]
    async with desk.client(era) as client:
        answer = await call(client, "patch_message", message_id=[alive, deleted, "404"], availability="Alive")
        only = await call(client, "patch_message", message_id=[alive], availability="Alive")
    assert answer["outcomes"] == {alive: "already", deleted: "restored", "404": "not_found"}
    assert only["status"] == "nothing_to_do"


async def test_only_deleted_messages_are_called_restored_when_they_are_marked_as_well(desk: Desk, era: Era) -> None:
    unread = desk.ids(availability="Alive", readStatus="Unread")[0]
    read = desk.ids(availability="Alive", readStatus="Read")[0]
    deleted = desk.ids(availability="Deleted")[0]
    async with desk.client(era) as client:
        ids = [unread, read, deleted, "404"]
        answer = await call(client, "patch_message", message_id=ids, availability="Alive", read_status="Read")
    assert answer["outcomes"] == {unread: "updated", read: "already", deleted: "restored", "404": "not_found"}
    assert {unread, read, deleted} <= set(desk.ids(availability="Alive", readStatus="Read"))
    assert (len(desk.sent("GET")), len(desk.sent("PATCH"))) == (1, 1)


async def test_a_purged_message_cannot_be_restored_and_the_answer_does_not_say_it_was(desk: Desk) -> None:
    target = desk.ids(availability="Deleted")[0]
    async with desk.client() as client:
        plan = (await call(client, "delete_message", message_id=target, purge=True))["plan_id"]
        desk.plans.approve(plan)
        await call(client, "delete_message", message_id=target, purge=True, plan_id=plan)
        result = await client.call_tool("patch_message", {"message_id": [target], "availability": "Alive"})
    assert result.is_error or "restored" not in str(result.structured_content)
    assert desk.availability(target) == "Purged"


async def test_a_restore_of_many_reports_progress(desk: Desk, era: Era) -> None:
    told: list[tuple[float, float | None]] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total))

    ids = desk.ids(availability="Alive")[:55]
    async with desk.client(era) as client:
        arguments = {"message_id": ids, "availability": "Alive"}
        result = await client.call_tool("patch_message", arguments, progress_callback=tell)
    assert told == [(50, 55), (55, 55)]
    assert result.structured_content is not None
    assert result.structured_content["outcomes"] == dict.fromkeys(ids, "already")


@pytest.mark.parametrize("availability", ["Deleted", "Purged", "alive", ""])
async def test_patch_can_only_restore(desk: Desk, availability: str) -> None:
    async with desk.client() as client:
        said = await refused(client, "patch_message", message_id=desk.ids()[:1], availability=availability)
    assert "availability" in said
    assert desk.emulator.requests == []


async def test_patch_needs_something_to_do(desk: Desk) -> None:
    async with desk.client() as client:
        assert "availability or read_status" in await refused(client, "patch_message", message_id=["1"])
    assert desk.emulator.requests == []


@pytest.mark.parametrize("ids", [[], ["*"], ["1,2"], [1.5], ["1 "], "", [str(n) for n in range(1001)]])
async def test_bad_ids_never_leave(desk: Desk, ids: object) -> None:
    async with desk.client() as client:
        said = await refused(client, "update_message", message_id=ids, read_status="Read")
    assert "message_id" in said
    assert desk.emulator.requests == []
