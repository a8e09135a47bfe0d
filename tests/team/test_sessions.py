"""Sessions are opened once, when needed; bounded; and closed when nobody uses them."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast

import anyio
import pytest

from rc_mcp.session import MailboxSession
from rc_mcp.team.sessions import BUSY, TOO_MANY, NoSession, Sessions

pytestmark = pytest.mark.anyio


class Rooms:
    """What the sessions of a test open."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.may_open = anyio.Event()
        self.may_open.set()
        self.failure: Exception | None = None

    @asynccontextmanager
    async def open(self, person_id: str) -> AsyncGenerator[MailboxSession]:
        self.opened.append(person_id)
        await self.may_open.wait()
        if self.failure:
            raise self.failure
        try:
            yield cast("MailboxSession", object())
        finally:
            self.closed.append(person_id)


@asynccontextmanager
async def sessions_of(rooms: Rooms, *, most: int = 10, idle_s: float = 1_000) -> AsyncGenerator[Sessions]:
    async with anyio.create_task_group() as tasks:
        sessions = Sessions(rooms.open, tasks, most=most, idle_s=idle_s)
        tasks.start_soon(sessions.close_idle)
        yield sessions
        tasks.cancel_scope.cancel()


async def until(closed: list[str], expected: list[str]) -> None:
    with anyio.fail_after(60):
        while closed != expected:  # noqa: ASYNC110  a session says nothing when it is closed
            await anyio.sleep(0.005)


async def test_first_calls_at_once_share_one_session() -> None:
    rooms, got = Rooms(), list[MailboxSession]()
    rooms.may_open = anyio.Event()

    async def use(sessions: Sessions) -> None:
        async with sessions.of("one") as session:
            got.append(session)

    async with sessions_of(rooms) as sessions, anyio.create_task_group() as callers:
        for _ in range(20):
            callers.start_soon(use, sessions)
        await anyio.wait_all_tasks_blocked()
        rooms.may_open.set()

    assert rooms.opened == ["one"]
    assert len(got) == 20
    assert len({id(session) for session in got}) == 1


async def test_a_failure_reaches_everyone_who_waited_and_the_next_call_tries_again() -> None:
    rooms = Rooms()
    async with sessions_of(rooms) as sessions:
        rooms.failure = NoSession("not now")
        with pytest.raises(NoSession, match="not now"):
            async with sessions.of("one"):
                pass
        rooms.failure = None
        async with sessions.of("one"):
            pass

    assert rooms.opened == ["one", "one"]


async def test_beyond_the_bound_the_one_that_was_idle_the_longest_is_closed() -> None:
    rooms = Rooms()
    async with sessions_of(rooms, most=2) as sessions, sessions.of("busy"):
        for person in ("first", "second", "third"):
            async with sessions.of(person):
                assert len(sessions) == 2
        await until(rooms.closed, ["first", "second"])


async def test_with_all_in_use_a_further_person_is_told_to_wait() -> None:
    async with sessions_of(Rooms(), most=1) as sessions, sessions.of("one"):
        with pytest.raises(NoSession, match=BUSY):
            async with sessions.of("other"):
                pass
        async with sessions.of("one"):
            assert len(sessions) == 1


async def test_one_person_can_use_their_session_only_so_often_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rc_mcp.team.sessions.MOST_AT_ONCE", 2)
    async with sessions_of(Rooms()) as sessions, sessions.of("one"), sessions.of("one"):
        with pytest.raises(NoSession, match=TOO_MANY):
            async with sessions.of("one"):
                pass
        async with sessions.of("other"):
            pass


async def test_an_idle_session_is_closed_and_one_in_use_is_not() -> None:
    rooms = Rooms()
    async with sessions_of(rooms, idle_s=0.02) as sessions, sessions.of("listening"):
        async with sessions.of("gone"):
            pass
        await until(rooms.closed, ["gone"])
        assert len(sessions) == 1


async def test_a_session_that_breaks_does_not_end_the_others(caplog: pytest.LogCaptureFixture) -> None:
    class Breaking(Rooms):
        @asynccontextmanager
        async def open(self, person_id: str) -> AsyncGenerator[MailboxSession]:
            async with super().open(person_id) as session:
                yield session
                raise ValueError("a secret")

    rooms = Breaking()
    async with sessions_of(rooms, most=1) as sessions:
        async with sessions.of("one"):
            pass
        async with sessions.of("two"):
            await until(rooms.closed, ["one"])
            assert len(sessions) == 1
    assert "ValueError" in caplog.text
    assert "secret" not in caplog.text


async def test_a_retired_session_is_closed_after_its_last_use_and_the_next_call_gets_another() -> None:
    rooms = Rooms()
    async with sessions_of(rooms) as sessions:
        async with sessions.of("one") as before:
            sessions.retire("one")
            async with sessions.of("one") as after:
                assert after is not before
            assert rooms.closed == []
        await until(rooms.closed, ["one"])
        sessions.retire("one")
        await until(rooms.closed, ["one", "one"])
        sessions.retire("nobody")
    assert rooms.opened == ["one", "one"]
