"""One mailbox and eleven clients, each with its own server, on two machines, reset for each example."""

import functools
import shutil
from collections.abc import AsyncGenerator, Callable, Collection, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar
from unittest import mock

import anyio
import anyio.to_thread
import httpx2 as httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client, MCPError
from mcp.client import ClientRequestContext, advertise
from mcp.client.session import ClientSession
from mcp.server.apps import APP_MIME_TYPE, EXTENSION_ID
from mcp.types import CallToolResult, ElicitRequestFormParams, ElicitRequestParams, ElicitResult, InputRequiredResult

import rc_mcp.server
from rc_mcp import locks
from rc_mcp.cli.emulator import login_to
from rc_mcp.emulator import Draft, Emulator, Party
from rc_mcp.emulator.mailbox.lifecycle import delete, set_retention_days
from rc_mcp.guard import execution
from rc_mcp.guard.guard import Decision, Guard
from rc_mcp.guard.refusals import GuardError, InDoubt
from rc_mcp.guard.restore import undo
from rc_mcp.guard.state.folder import Folder
from rc_mcp.guard.state.journal import Channel, Journal
from rc_mcp.guard.state.plans import Plan, PlanState, PlanStore
from rc_mcp.inbox.windows import BrowserPage
from rc_mcp.ringcentral import RingCentralError, Time
from rc_mcp.server import RingCentralServer, build_server
from rc_mcp.settings import Settings, SettingsError, load_settings
from rc_mcp.views.changes import ChangeResult
from rc_mcp.wiring import open_guard, policy_for
from tests.desk import Era, text_of
from tests.proof.faults import (
    AFTER,
    ARRIVALS,
    BEFORE,
    LATE,
    MOST_LATE,
    ODD,
    OTHERS,
    PARTS,
    READ_BACK,
    RESTORED,
    WITHOUT_CODE,
    Event,
    comes_late,
    fates,
    halved,
    in_parts,
    instead,
    named,
    of_all_conversations,
    only,
    pause_after,
)
from tests.proof.host import FOREIGN_TOKEN, ZONE, Clock, ForeignFolder, Host, Locks, Now
from tests.proof.judge import NAMED, OWN_WORD, SOUND, Asked, Call, ClientSetup, Effect, Judge, Shown, Window, hold
from tests.proof.mailbox_model import MailboxModel
from tests.proof.rules import BORIS, POLICY

P = ParamSpec("P")
T = TypeVar("T")
Refusal = Literal["refused", "rehearsed"]

_NOT_SENT = "refused connection"
_ANNA, _BORIS = Party(name="Anna", phone_number="+15035550190"), Party(name="Boris", phone_number=BORIS)


@dataclass(frozen=True)
class Place:
    """A client, its protocol, and the host and access level of its server."""

    setup: ClientSetup
    era: Era
    host: str
    access: str = "admin"


def _place(name: str, era: Era, *, can_ask: bool, principal: str = "us", **more: Any) -> Place:
    human, access = more.get("human", False), more.get("access", "admin")
    may_purge, may_set_period, has_policy = access != "delete", access == "admin", more.get("has_policy", False)
    setup = ClientSetup(name, can_ask, principal, human, may_purge, has_policy, may_set_period, more.get("shows"))
    return Place(setup, era, more.get("host", "one"), access)


HOSTS = {"one": timedelta(), "two": timedelta(seconds=20)}
"""How far the wall clock of each machine is ahead at first. Both machines use the same state folder."""


_PLACES = (
    _place("asks, 2026", "auto", can_ask=True),
    _place("asks, 2025", "legacy", can_ask=True, host="two"),
    _place("cannot ask, 2026", "auto", can_ask=False),
    _place("cannot ask, 2025", "legacy", can_ask=False, host="two"),
    _place("human, 2025", "legacy", can_ask=False, human=True),
    _place("another login, 2026", "auto", can_ask=False, principal="them"),
    _place("no purge, 2026", "auto", can_ask=True, access="delete", host="two"),
    _place("policy, asks, 2025", "legacy", can_ask=True, has_policy=True),
    _place("policy, cannot ask, 2026", "auto", can_ask=False, has_policy=True),
    _place("page, 2026", "auto", can_ask=False, shows="browser"),
    _place("app, 2025", "legacy", can_ask=False, shows="app", host="two"),
)
PLACES = {place.setup.name: place for place in _PLACES}


_TERMINAL = _place("terminal", "auto", can_ask=False)


class Office:
    """The servers and their surroundings. `Machine` decides the events of an example."""

    def __init__(self, folder: Path, clock: Clock, emulator: Emulator, noted: "Noted", locks: Locks) -> None:
        self.state_dir = folder / "state"
        self.policy = folder / "policy.toml"
        self.policy.write_text(POLICY, "utf-8")
        self.noted = noted
        self.clock = clock
        self.hosts = {name: Host(name, clock, ahead) for name, ahead in HOSTS.items()}
        self.locks = locks
        self.foreign = ForeignFolder(folder / "project")
        self.emulator = emulator
        self.mailbox = MailboxModel(emulator.store)
        self.judge = Judge(self.mailbox, self.clock)
        self.events: list[Event] = []
        self.pauses: Sequence[int] = ()
        self.is_crowded = False
        """Whether a step makes several calls at once."""
        self.late: list[Late] = []
        self.nth = 0
        self._wires: dict[Place, Wire] = {}
        self._servers: dict[Place, RingCentralServer] = {}
        self._foreign_places: set[Place] = set()
        """The places whose server was started in a foreign folder."""

    def begin(self, day: str) -> None:
        """Begin an example with a small mailbox, an empty state folder and no approvals."""
        shutil.rmtree(self.state_dir, ignore_errors=True)
        self.foreign.forget()
        for place in self._foreign_places:
            del self._servers[place]
        self._foreign_places.clear()
        self.noted.made.clear()
        self.noted.taken = None
        self.noted.held_back = []
        self.late.clear()
        self.clock.begin(day)
        self.emulator.sessions.end_all()
        for host in self.hosts.values():
            host.set_clock(timedelta())
        self.mailbox.begin(_drafts(self.clock()))
        self.judge = Judge(self.mailbox, self.clock)
        self.new_step([])

    async def end(self) -> None:
        """End an example: let all late requests arrive, and check the journal."""
        self.clock.go_on(2 * MOST_LATE)
        await self.arrive_late()
        self.judge.check_journal(Journal(Folder(self.state_dir), self.hosts["one"].wall).operations())

    @property
    def plans(self) -> PlanStore:
        """Return the plans as a terminal on the first machine sees them."""
        return PlanStore(Folder(self.state_dir), self.hosts["one"].wall, self.hosts["one"].clock())

    def now(self, place: Place) -> Now:
        """Return the current time by the clocks of this machine."""
        return self.hosts[place.host].now()

    def new_step(self, events: list[Event], pauses: Sequence[int] = ()) -> None:
        """Set the events and pauses of the next step."""
        self.events, self.pauses, self.nth = list(events), pauses, 0
        self.is_crowded = bool(pauses)

    def server(self, place: Place, *, restarted: bool = False, brings: str | None = None) -> RingCentralServer:
        """Return the server of a place. After a restart it has new keys, and only the state folder from before.

        `brings`: start it in a foreign folder whose `.env` has this.
        """
        if restarted or place not in self._servers:
            self._servers[place] = self._started(place, self._settings(place, brings))
            (self._foreign_places.add if brings else self._foreign_places.discard)(place)
        return self._servers[place]

    def start_again(self, host: str) -> None:
        """Restart a machine with all its servers."""
        self.hosts[host].start_again()
        for place in [p for p in self._servers if p.host == host]:
            self._foreign_places.discard(place)
            del self._servers[place]

    def _started(self, place: Place, settings: Settings) -> RingCentralServer:
        host = self.hosts[place.host]
        return build_server(
            settings,
            transport=self.wire(place),
            principal=place.setup.principal,
            now=host.wall,
            time=Time(self.clock.seconds, self.clock.sleep),
            clock=host.clock(),
        )

    def _settings(self, place: Place, brings: str | None = None) -> Settings:
        variables = {
            **login_to(self.emulator),
            "RC_MCP_TIMEZONE": ZONE,
            **({"RC_MCP_APPROVAL": "human"} if place.setup.human else {}),
            **({"RC_MCP_ACCESS": place.access} if place.access != "admin" else {}),
            **({"RC_MCP_POLICY": str(self.policy)} if place.setup.has_policy else {}),
            **({"RC_MCP_APPROVAL_PAGE": "on"} if place.setup.shows == "browser" else {}),
        }
        if brings is not None:
            self.judge.count("servers started in foreign folders")
            with suppress(SettingsError):  # on an error, the user starts it in another folder
                return self.foreign.settings(variables, brings, self.state_dir)
        return load_settings(**variables, RC_MCP_STATE_DIR=str(self.state_dir))

    async def undo(self, operation: str) -> None:
        """Run the code of `rc-mcp undo`, as a separate process in a terminal would."""
        wire, moment, host = self.wire(_TERMINAL), self.mailbox.next_moment(), self.hosts[_TERMINAL.host]
        call = Call(_TERMINAL.setup, Asked("undo", {"operation": operation}), moment, host.now(), moment)
        wire.call = call
        time = Time(self.clock.seconds, self.clock.sleep)
        settings, principal = self._settings(_TERMINAL), _TERMINAL.setup.principal
        try:
            async with open_guard(
                settings, transport=wire, principal=principal, now=host.wall, clock=host.clock(), time=time
            ) as guard:
                answer = await undo(guard, operation)
        except (GuardError, RingCentralError):
            answer = None
        finally:
            wire.call = None
        self.judge.check_undone(call, answer, host.now())

    async def decide(self, place: Place, window: Window, shown: Shown, decision: Decision) -> None:
        """Let a user decide in a window of a server with the settings of this place."""
        name = f"{place.setup.name}, in the {window}"
        here = replace(place, setup=replace(place.setup, name=name, can_ask=False, window=window))
        wire, moment, host = Wire(self, here), self.mailbox.next_moment(), self.hosts[place.host]
        wire.call = call = Call(here.setup, shown.asked, moment, host.now(), moment, shown.plan.id)
        agreed = self.judge.decide(shown, decision, call)
        answer: ChangeResult | GuardError | None = None
        with anyio.CancelScope() as wire.scope:
            answer = await self._decided(wire, here, decision, window)
        self.ends(call, here, finished=answer is not None)
        if isinstance(answer, GuardError):
            self.judge.check_error(call, str(answer))
        elif answer is not None:
            content = answer.model_dump(mode="json")
            self.judge.check_decided(shown, decision, content, agreed=agreed)
            self.judge.check_answer(call, content, host.now())

    async def _decided(
        self, wire: "Wire", place: Place, decision: Decision, window: Window
    ) -> ChangeResult | GuardError:
        settings, host = self._settings(place), self.hosts[place.host]
        time = Time(self.clock.seconds, self.clock.sleep)
        async with open_guard(
            settings,
            policy_for(settings),
            transport=wire,
            principal=place.setup.principal,
            now=host.wall,
            clock=host.clock(),
            time=time,
        ) as guard:
            try:
                return await guard.decide(decision, window)
            except GuardError as error:
                return error

    def ends(self, call: Call, place: Place, *, finished: bool) -> None:
        """Record the end of a call, and check the plans that it held back."""
        self.judge.end(call, finished=finished)
        held_back, self.noted.held_back = self.noted.held_back, []
        if not self.is_crowded:  # otherwise they may belong to another call
            for plan in held_back:
                self.judge.held_back(call, plan, self.now(place))

    def wire(self, place: Place) -> "Wire":
        """Return the transport from this place's server to RingCentral."""
        return self._wires.setdefault(place, Wire(self, place))

    @property
    def stop_file(self) -> Path:
        return self.state_dir / "STOP"

    def stop(self, on: bool) -> None:
        """Create or remove the STOP file."""
        if on:
            self.state_dir.mkdir(exist_ok=True)
            self.stop_file.touch()
            self.judge.stopped_since = self.mailbox.next_moment()
        else:
            self.stop_file.unlink(missing_ok=True)
            self.judge.stopped_since = None

    async def arrive_late(self) -> None:
        """Deliver the late requests that are due, before any request sent later."""
        due = [late for late in self.late if late.waits_for <= 0 or self.clock() >= late.effect.sent.right + MOST_LATE]
        self.late = [late for late in self.late if late not in due]
        for late in due:
            self.mailbox.pass_time()
            inner = httpx.ASGITransport(app=self.emulator.app)
            await (await inner.handle_async_request(late.request)).aread()
            changed = self.mailbox.note("guarded call")
            if late.request.method == "PUT":
                self.judge.late_put_done(late.effect)
            else:
                self.judge.late_done(late.effect, late.read, changed)
            self.mailbox.pass_time()

    def another_app(self, what: str, nth: int) -> None:
        """Change the mailbox as another app would."""
        store, now = self.emulator.store, self.clock()
        id_ = self.mailbox.ids[nth % len(self.mailbox.ids)]
        message = store.find(int(id_))
        if what in ARRIVALS:
            created = now - ARRIVALS[what]
            for sender in (_ANNA, _BORIS)[nth % 2 :]:
                store.add(Draft(type="SMS", sender=sender, text="Wait!", created=created))
            self.mailbox.note("arrival")
            return
        with store.transaction():
            if what == "app sets the period":
                set_retention_days(store, (14, 40)[nth % 2])
            elif message is not None and what in {"app deletes", "app purges"}:
                delete(store, message, purge=what == "app purges")
            elif message is not None and what == "app restores" and message.availability == "Deleted":
                store.move(message, "Alive")
            elif message is not None and what == "app marks" and message.availability != "Purged":
                store.mark(message, "Read")
        self.mailbox.note("another app")


@dataclass(eq=False)
class Late:
    """A DELETE or a PUT of a retention period that will arrive after its answer."""

    request: httpx.Request
    effect: Effect
    read: dict[str, int]
    """The moment of the last reading of each message."""
    waits_for: int
    """The number of requests that overtake it."""


class Wire(httpx.AsyncBaseTransport):
    """The transport from one server to RingCentral. The judge checks each request, and events can disturb it."""

    def __init__(self, office: Office, place: Place) -> None:
        self._office = office
        self._place = place
        self._inner = httpx.ASGITransport(app=office.emulator.app)
        self.call: Call | None = None
        self.scope: anyio.CancelScope | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        office = self._office
        office.clock.go_on(timedelta(milliseconds=40))
        self._check_own(request)
        if "/oauth/" in request.url.path:
            return await self._inner.handle_async_request(request)
        if self.call is None and request.method == "GET":
            await office.arrive_late()
            return await self._inner.handle_async_request(request)
        nth, office.nth = office.nth, office.nth + 1
        for late in office.late:
            late.waits_for -= 1
        await office.arrive_late()
        for _ in range(office.pauses[nth % len(office.pauses)] if office.pauses else 0):
            await anyio.lowlevel.checkpoint()
        if self.call is not None and request.method != "GET" and self.call.asked.tool != "patch_message":
            self._tried(self.call, request)
        meets = [e for e in office.events if e.meets(nth, _kinds(request))]
        office.events = [e for e in office.events if e not in meets or e.lasting]
        for event in meets:
            await self._happen(event)
        return await self._judged(request, next((e.what for e in meets if e.what in _FAULTS), None))

    def _check_own(self, request: httpx.Request) -> None:
        """Check that the user's token, address and state folder are used, not values from a foreign folder."""
        hold(
            FOREIGN_TOKEN not in request.headers.get("Authorization", ""),
            OWN_WORD,
            "the token of a foreign folder is used",
        )
        own = {httpx.URL(url).host for url in (self._office.emulator.server_url, self._office.emulator.media_url)}
        hold(request.url.host in own, OWN_WORD, f"a request to {request.url.host}")
        hold(not self._office.foreign.has_state, OWN_WORD, "the state folder of a foreign folder is used")

    def _tried(self, call: Call, request: httpx.Request) -> None:
        """Record that a change is about to be sent. From now on the journal may report it as in doubt."""
        taken = self._office.noted.taken
        planned = {t.id for t in taken[0].draft.targets} if taken and request.method == "DELETE" else set[str]()
        is_period = request.url.path.endswith("configuration")
        self._office.judge.tried({"configuration"} if is_period else planned | set(named(request)), call)

    async def _happen(self, event: Event) -> None:
        office = self._office
        if event.what in OTHERS or event.what in ARRIVALS:
            office.judge.count(f"during a step: {event.what}")
            office.another_app(event.what, event.at_message)
        elif event.what == "STOP":
            office.judge.count("during a step: STOP")
            office.stop(on=True)
        elif event.what == "cancel":
            await self._cancel()

    async def _cancel(self) -> None:
        """Cancel the call as the client."""
        if self.scope is not None:
            self._office.judge.count("cancelled")
            self.scope.cancel()
            await anyio.lowlevel.checkpoint()

    async def _judged(self, request: httpx.Request, fault: str | None) -> httpx.Response:
        call = self.call
        # A server also settles interrupted requests outside of calls. It only reads then.
        if call is None and request.method == "GET":
            return await self._inner.handle_async_request(request)
        hold(call is not None, SOUND, f"a {request.method} outside of any call")
        assert call is not None
        if fault is not None:
            self._count(call, request, fault)
        self._office.mailbox.pass_time()
        if request.method == "PATCH":
            body = bytes(request.content)
            hold(b"Deleted" not in body and b"Purged" not in body, NAMED, body)
        if fault == _NOT_SENT:
            return await self._carried(request, fault, [])
        if request.method == "PATCH" and call.asked.tool != "patch_message":
            return await self._restoring(call, request, fault)
        if request.method == "DELETE":
            return await self._deleting(call, request, fault)
        if request.method == "PUT" and request.url.path.endswith("configuration"):
            return await self._setting(call, request, fault)
        return await self._carried(request, fault, [])

    def _count(self, call: Call, request: httpx.Request, fault: str) -> None:
        office = self._office
        call.faults.append(fault)
        office.judge.count(f"fault: {fault}")
        if fault.startswith("429"):
            office.judge.limited_until[call.setup.name] = office.clock() + pause_after(fault)

    async def _restoring(self, call: Call, request: httpx.Request, fault: str | None) -> httpx.Response:
        judge, ids, restored = self._office.judge, named(request), list[str]()
        judge.patch_leaves(call, ids)
        try:
            return await self._carried(request, fault, restored)
        finally:
            judge.patch_done(call, ids, restored)

    async def _deleting(self, call: Call, request: httpx.Request, fault: str | None) -> httpx.Response:
        judge, taken = self._office.judge, self._office.noted.taken
        if taken and taken[1] == "policy":
            judge.policy_agreed(taken[0], call)
        effect = judge.delete_leaves(call, request, self._office.now(self._place), taken[0] if taken else None)
        changed, answer = list[str](), None
        self._give_up(call, request, fault, effect)
        try:
            answer = await self._carried(request, fault, changed)
            return answer
        finally:
            judge.delete_done(call, effect, changed)
            judge.may_yet_arrive(effect, answer)

    async def _setting(self, call: Call, request: httpx.Request, fault: str | None) -> httpx.Response:
        judge, taken = self._office.judge, self._office.noted.taken
        days = int(bytes(request.content).partition(b":")[2].strip(b" }"))
        effect = judge.put_leaves(call, days, self._office.now(self._place), taken[0] if taken else None)
        answer = None
        self._give_up(call, request, fault, effect)
        try:
            answer = await self._carried(request, fault, [])
            return answer
        finally:
            judge.put_done(call, effect, answer)

    def _give_up(self, call: Call, request: httpx.Request, fault: str | None, effect: Effect) -> None:
        """Queue the part of the request that arrives after its answer, if any."""
        if late := comes_late(request, fault):
            self._office.late.append(Late(late[0], effect, dict(call.read), late[1]))

    async def _carried(self, request: httpx.Request, fault: str | None, changed: list[str]) -> httpx.Response:
        """Carry the request to RingCentral and its answer back, as far as the fault permits."""
        office = self._office
        if fault in READ_BACK and request.method != "GET":
            office.events.append(Event("GET", READ_BACK[fault]))
        if fault in _NOT_RECEIVED:
            return instead(fault, request)
        if fault == "token expired":
            office.emulator.sessions.end_all()
        if fault in PARTS:
            return await self._partly(request, fault, changed)
        sent = of_all_conversations(request) if fault == "all conversations" else request
        response = await self._inner.handle_async_request(sent)
        content = await response.aread()
        by = "guarded call" if request.method == "DELETE" or "configuration" in request.url.path else "benign call"
        if request.method != "GET":
            changed += office.mailbox.note(by)
            office.mailbox.pass_time()
        await self._acted(request, fault)
        if fault == "truncated":
            return halved(response, content, request)
        if fault in AFTER or (fault in READ_BACK and request.method == "GET"):
            return instead(fault, request)
        if self.call is not None:
            self._answered(self.call, request, response)
        return response

    async def _acted(self, request: httpx.Request, fault: str | None) -> None:
        """Apply events between RingCentral's action and its answer."""
        office = self._office
        if fault == RESTORED:
            office.events.append(Event("GET", "app restores", at_message=office.mailbox.ids.index(named(request)[-1])))
        if fault == "cancel after":
            await self._cancel()

    async def _partly(self, request: httpx.Request, fault: str, changed: list[str]) -> httpx.Response:
        """Carry out a part of the request now, and report the outcome of each part."""
        if done := [name for name, fate in fates(request, fault).items() if fate == "done"]:
            await (await self._inner.handle_async_request(only(request, done))).aread()
            changed += self._office.mailbox.note("guarded call")
        return in_parts(request, fault)

    def _answered(self, call: Call, request: httpx.Request, response: httpx.Response) -> None:
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            call.faults.append("login ended")  # by a login of another server, or a fault at another call
        if request.method == "GET" and response.is_success:
            self._read(call, request)

    def _read(self, call: Call, request: httpx.Request) -> None:
        moment, mailbox = self._office.mailbox.next_moment(), self._office.mailbox
        if request.url.path.endswith("configuration"):
            call.read["configuration"] = moment
        elif conversation := request.url.params.get("conversationId"):
            held = (mailbox.store.find(int(i)) for i in mailbox.ids)
            call.read |= {str(m.id): moment for m in held if m and str(m.conversation_id) == conversation}
        else:
            call.read |= dict.fromkeys(request.url.path.rpartition("/")[2].split(","), moment)


def _kinds(request: httpx.Request) -> set[str]:
    """Return the kinds by which an event can select this request."""
    is_list = request.method == "GET" and "conversationId" in request.url.params
    return {request.method, "LIST"} if is_list else {request.method}


_NOT_RECEIVED = frozenset((*BEFORE, *LATE, *WITHOUT_CODE, "false 204", "false 204, then the gateway"))
"""RingCentral does not receive the request, or only later."""
_FAULTS = frozenset((*BEFORE, *AFTER, *ODD, *LATE, *WITHOUT_CODE, *PARTS, "cancel after"))


def _drafts(now: datetime) -> list[Draft]:
    """Return nine messages: two conversations of texts, one of pager messages, old and new voicemails, and a fax."""

    def before(**ago: float) -> datetime:
        return now - timedelta(**ago)

    old = Draft(type="VoiceMail", created=before(days=20), sender=_ANNA, seconds=9)
    return [
        old,
        Draft(type="Fax", created=before(days=10), sender=_BORIS, read=True),
        Draft(type="SMS", created=before(days=3), sender=_ANNA, text="one"),
        Draft(
            type="SMS", created=before(days=2), sender=_ANNA, text="two", availability="Deleted", removed=before(days=1)
        ),
        Draft(type="SMS", created=before(hours=2), sender=_BORIS, text="three", read=True),
        Draft(type="SMS", created=before(hours=1), sender=_BORIS, text="four"),
        Draft(type="Pager", created=before(minutes=30), sender=Party(name="Cleo", extension_number="102"), text="five"),
        replace(old, created=before(minutes=20), availability="Deleted", removed=before(minutes=10)),
        Draft(
            type="SMS", created=before(milliseconds=100), sender=_ANNA, text="six"
        ),  # in the second that is not over yet
    ]


@dataclass(eq=False)
class Question:
    """A question of the 2026-07-28 protocol. The client can answer it late, twice or never."""

    place: Place
    asked: Asked
    plan_id: str | None
    asks: InputRequiredResult
    shown: Shown


Answering = Callable[[Shown], ElicitResult]
"""A function that returns the user's answer. It may let time pass."""


class ConnectedClient:
    """A client that is connected to its server. The judge checks everything it sends and receives."""

    def __init__(self, office: Office, place: Place) -> None:
        self.place = place
        self._office = office
        self._client: Client | None = None
        self._wire = office.wire(place)
        self._answering: Answering | None = None

    @asynccontextmanager
    async def connected(self, server: RingCentralServer) -> AsyncGenerator[None]:
        """Connect the client, and run the server until it disconnects."""
        asks = self._ask if self.place.setup.can_ask else None
        shows = [advertise(EXTENSION_ID, {"mimeTypes": [APP_MIME_TYPE]})] if self.place.setup.shows == "app" else None
        async with Client(server, mode=self.place.era, elicitation_callback=asks, extensions=shows) as self._client:
            yield

    async def call(self, asked: Asked, plan_id: str | None, answering: Answering) -> Question | None:
        """Call a tool. Return a question of the newer protocol; answer one of the older protocol at once."""
        call = self._begun(asked, plan_id)
        shown = self._office.judge.shown.get(plan_id or "")
        if shown is not None and self._is_plan_id_enough(shown, asked):
            self._office.judge.agree(shown, "chat", call.began_at.wall, call)
        self._answering = answering
        result = await self._judged(call, None, None)
        if not isinstance(result, InputRequiredResult):
            return None
        requests = list((result.input_requests or {}).values())
        hold(len(requests) == 1, SOUND, f"asks {len(requests)} questions at once")
        shown = self._shown_in(requests[0].params, call)
        return Question(self.place, asked, plan_id, result, shown)

    async def answer(self, question: Question, answering: Answering) -> None:
        """Make the second round of a call, with an answer. The question may have been answered before."""
        said = answering(question.shown)
        call = self._begun(question.asked, question.plan_id)
        self._said(question.shown, said, call)
        again = await self._judged(call, question.asks, said)
        if isinstance(again, InputRequiredResult):
            self._office.judge.count("asked again")
            self._shown_in(next(iter((again.input_requests or {}).values())).params, call)

    def _begun(self, asked: Asked, plan_id: str | None) -> Call:
        office, setup = self._office, self.place.setup
        moment, now = office.mailbox.next_moment(), office.clock()
        call = Call(setup, asked, moment, office.now(self.place), moment, plan_id)
        if now < office.judge.limited_until.get(setup.name, now):
            call.faults.append("429 earlier")  # a DELETE does not wait for the pause to end
        return call

    def _is_plan_id_enough(self, shown: Shown, asked: Asked) -> bool:
        """Return whether a plan_id from the model counts as approval here (GUARD.md, section 4)."""
        setup = self.place.setup
        fits = shown.asked.key == asked.key and shown.principal == setup.principal
        is_asked = setup.can_ask or setup.shows or shown.was_asked_about
        return fits and not (is_asked or setup.human or shown.irreversible)

    async def _judged(
        self, call: Call, asks: InputRequiredResult | None, said: ElicitResult | None
    ) -> InputRequiredResult | None:
        wire, judge = self._wire, self._office.judge
        result: CallToolResult | InputRequiredResult | MCPError | None = None
        wire.call = call
        with anyio.CancelScope() as wire.scope:
            result = await self._sent(call, asks, said)
        if result is None:
            for _ in range(200):
                await anyio.lowlevel.checkpoint()  # until the server has received the cancellation too
        wire.call = wire.scope = None
        self._office.ends(call, self.place, finished=result is not None)
        if isinstance(result, InputRequiredResult):
            return result
        if isinstance(result, MCPError):
            judge.check_error(call, str(result))
        elif result is not None:
            self._check(call, result)
        return None

    async def _sent(
        self, call: Call, asks: InputRequiredResult | None, said: ElicitResult | None
    ) -> CallToolResult | InputRequiredResult | MCPError:
        assert self._client is not None
        named = {} if call.plan_id is None else {"plan_id": call.plan_id}
        try:
            return await self._client.session.call_tool(
                call.asked.tool,
                {**call.asked.arguments, **named},
                input_responses=dict.fromkeys(asks.input_requests or {}, said) if asks and said else None,
                request_state=asks.request_state if asks else None,
                allow_input_required=True,
            )
        except MCPError as error:
            return error

    def _check(self, call: Call, result: CallToolResult) -> None:
        judge, content = self._office.judge, result.structured_content
        if result.is_error or content is None:
            judge.check_error(call, text_of(result))
            return
        if content.get("plan_id"):
            shown = judge.show(self._office.noted.made.get(content["plan_id"]), None, call)
            shown.was_asked_about |= content.get("approve_in") in {"app", "browser"}
        if content["status"] == "declined" and call.shown is not None:
            judge.deny(call.shown)
        judge.check_answer(call, content, self._office.now(self.place))

    async def _ask(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        call = self._wire.call
        assert call is not None
        assert self._answering is not None
        shown = self._shown_in(params, call)
        said = self._answering(shown)
        self._said(shown, said, call)
        return said

    def _shown_in(self, params: object, call: Call) -> Shown:
        assert isinstance(params, ElicitRequestFormParams)
        _, _, plan_id = params.message.rpartition("\nPlan ")
        call.shown = self._office.judge.show(self._office.noted.made.get(plan_id), params.message, call)
        call.shown.was_asked_about = True
        return call.shown

    def _said(self, shown: Shown, said: ElicitResult, call: Call) -> None:
        call.shown = shown
        if is_approval(shown, said):
            self._office.judge.agree(shown, "question", self._office.now(self.place).wall, call)


def is_approval(shown: Shown, said: ElicitResult) -> bool:
    """Return whether the answer is an approval: box ticked, or exact phrase typed. The guard has its own check."""
    content = said.content or {}
    if said.action != "accept":
        return False
    if shown.irreversible:
        typed = content.get("phrase")
        return isinstance(typed, str) and typed.strip() == shown.phrase(len(shown.ids))
    return content.get("confirm") is True


@dataclass
class Noted:
    """A record of the plans that all servers stored, took and held back."""

    made: dict[str, Plan] = field(default_factory=dict[str, Plan])
    """Every plan of the example as it was stored. A store forgets expired plans."""
    taken: tuple[Plan, Channel] | None = None
    """The last plan that a server began to carry out, and the channel of its approval. Changes run one at a time,
    so the next destructive request belongs to this plan."""
    held_back: list[Plan] = field(default_factory=list[Plan])
    """Plans that the current call did not carry out because an earlier request may still arrive."""


@contextmanager
def office(folder: Path) -> Generator[tuple[Office, BlockingPortal]]:
    """Open an office in its own event loop. Examples act on it through the portal."""
    noted, locks = Noted(), Locks()
    with _plans_noted(noted), _sped_up(), locks.instead(), start_blocking_portal() as portal:

        @asynccontextmanager
        async def opened() -> AsyncGenerator[Office]:
            clock = Clock()
            with Emulator(scenario="empty", rate_limits=False, now=clock) as emulator:
                yield Office(folder, clock, emulator, noted, locks)

        with portal.wrap_async_context_manager(opened()) as here:
            yield here, portal


@contextmanager
def _plans_noted(noted: Noted) -> Generator[None]:
    """Record each plan that is stored, taken or held back."""
    add, claim, note = PlanStore.add, PlanStore.claim, Guard.note

    def added(store: PlanStore, *arguments: Any, **more: Any) -> Plan:
        plan = add(store, *arguments, **more)
        return noted.made.setdefault(plan.id, plan)  # it may exist already

    def claimed(
        store: PlanStore, plan_id: str, *states: PlanState, by: Channel, only: Collection[str] | None = None
    ) -> bool:
        is_taken = claim(store, plan_id, *states, by=by, only=only)
        if is_taken:
            noted.taken = noted.made[plan_id], by
        return is_taken

    async def refused(
        guard: Guard, tool: str, event: Refusal, operation: str | None = None, /, **details: object
    ) -> None:
        await note(guard, tool, event, operation, **details)
        if details.get("reason") == InDoubt.reason and operation in noted.made:
            noted.held_back.append(noted.made[operation])

    with (
        mock.patch.object(PlanStore, "add", added),
        mock.patch.object(PlanStore, "claim", claimed),
        mock.patch.object(Guard, "note", refused),
    ):
        yield


@contextmanager
def _sped_up() -> Generator[None]:
    """Speed up parts that the proof does not check, and make the order of calls deterministic.

    Batches of three give a small mailbox several batches. Tools are built once. Plans are stored in the loop's own
    thread, and a lock is tried again at the loop's next turn, so only the example decides which call goes first.
    """

    async def run_sync(function: Callable[..., T], *arguments: Any, **_: Any) -> T:
        await anyio.lowlevel.checkpoint()
        return function(*arguments)

    async def show(_: BrowserPage) -> bool:
        """Show the page in a browser that opens at once."""
        return True

    async def skip(*_: object) -> None:
        """Skip the check of output schemas, which other tests do: the SDK compiles them for each connection."""

    with (
        mock.patch.object(execution, "LIMITS", replace(execution.LIMITS, ids_per_path=3)),
        mock.patch.object(locks, "_POLL_S", 0),
        mock.patch.object(rc_mcp.server, "tools_for", functools.cache(rc_mcp.server.tools_for)),
        mock.patch.object(anyio.to_thread, "run_sync", run_sync),
        mock.patch.object(ClientSession, "validate_tool_result", skip),
        mock.patch.object(BrowserPage, "show", show),
    ):
        yield
