"""An unusable state folder is reported as such, and STOP counts in every form."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rc_mcp.guard.refusals import NOTHING_DONE, GuardError
from rc_mcp.guard.restore import undo
from rc_mcp.guard.state.folder import has_stop_file, stop_file
from tests.desk import YES, Desk, call, refused

pytestmark = pytest.mark.anyio


def a_link_to_nothing(file: Path) -> None:
    file.symlink_to(file.with_name("nowhere"))


def a_link_to_itself(file: Path) -> None:
    file.symlink_to(file)


STOPS = [Path.touch, Path.mkdir, a_link_to_nothing, a_link_to_itself]


def closed(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Make the folder unreadable, as without access rights. (Rights do not apply to root.)"""

    def but_there(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(path, str | Path) and folder in Path(path).parents:
                raise PermissionError(13, "Permission denied", str(path))
            return real(path, *args, **kwargs)

        return call

    for name in ("stat", "lstat", "open", "mkdir", "unlink"):
        monkeypatch.setattr(os, name, but_there(getattr(os, name)))


@pytest.mark.parametrize("make", STOPS)
async def test_a_stop_of_any_kind_stops(desk: Desk, make: Callable[[Path], None]) -> None:
    target = desk.ids(availability="Alive")[0]
    async with desk.client() as client:
        plan = (await call(client, "delete_message", message_id=[target]))["plan_id"]
        make(stop_file(desk.state_dir))
        assert (await call(client, "delete_message", message_id=[target], plan_id=plan))["status"] == "refused"
    assert desk.sent("DELETE") == []


def test_an_unreadable_state_folder_counts_as_a_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not has_stop_file(tmp_path / "state")
    (tmp_path / "file").touch()
    assert has_stop_file(tmp_path / "file")
    assert not has_stop_file(tmp_path)
    closed(monkeypatch, tmp_path)
    assert has_stop_file(tmp_path)


@pytest.mark.parametrize("answer", [None, YES], ids=["cannot be asked", "says yes"])
async def test_a_folder_that_cannot_be_read_is_refused_with_a_message(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    target = desk.ids(availability="Alive")[0]
    async with desk.client() as client:
        plan = (await call(client, "delete_message", message_id=[target]))["plan_id"]
    async with desk.client(answer=answer) as client:
        closed(monkeypatch, desk.state_dir)
        for arguments in ({}, {"plan_id": plan}, {"purge": True}):
            said = await refused(client, "delete_message", message_id=[target], **arguments)
            assert "state folder" in said
            assert said.endswith(NOTHING_DONE)
        said = await refused(client, "update_message_store_configuration", retention_period=30)
        assert "state folder" in said
    monkeypatch.undo()
    assert desk.sent("DELETE") + desk.sent("PUT") == []
    assert desk.asked == []


async def test_a_folder_closed_between_question_and_answer_is_refused_with_a_message(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = desk.ids(availability="Alive")[0]

    def then_closed(*_: object) -> Any:
        closed(monkeypatch, desk.state_dir)
        return YES

    async with desk.client(answer=then_closed) as client:
        said = await refused(client, "delete_message", message_id=[target])
    assert "state folder" in said
    assert said.endswith(NOTHING_DONE)
    monkeypatch.undo()
    assert desk.sent("DELETE") == []


async def test_background_settling_and_undo_raise_the_same_error(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    target = desk.ids(availability="Alive")[0]
    async with desk.client(answer=YES) as client:
        operation = (await call(client, "delete_message", message_id=[target]))["operation_id"]
    async with desk.guard() as guard:
        closed(monkeypatch, desk.state_dir)
        with pytest.raises(GuardError, match=NOTHING_DONE):
            await guard.settle_interrupted_unless_busy()
        with pytest.raises(GuardError, match=NOTHING_DONE):
            await undo(guard, operation)
    monkeypatch.undo()
    assert desk.availability(target) == "Deleted"


async def test_a_file_in_place_of_the_folder_is_refused_with_a_message(desk: Desk) -> None:
    target = desk.ids(availability="Alive")[0]
    desk.state_dir.write_text("a file, where a folder is needed")
    async with desk.client(answer=YES) as client:
        said = await refused(client, "delete_message", message_id=[target])
    assert "state folder" in said
    assert said.endswith(NOTHING_DONE)
