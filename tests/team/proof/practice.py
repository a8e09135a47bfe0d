"""A practice of many users on one RingCentral, each with canaries in everything that is theirs.

`Practice` is the emulator with their mailboxes. It also sees each change that reaches RingCentral, and asks whether its
own user approved it.
"""

import random
import re
from collections import defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rc_mcp.emulator import Emulator
from rc_mcp.emulator.clock import utc_now
from rc_mcp.emulator.mailbox.new_message import Draft, File
from rc_mcp.emulator.mailbox.people import Party
from rc_mcp.emulator.mailbox.store import Store
from tests.desk import Clock
from tests.team.proof.canaries import Canaries

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
KEPT = 20
"""How many things of each kind a user remembers, and a thief can take."""
_WHO_LOGGED_IN = "/restapi/v1.0/account/~/extension/~"
_DELETE = re.compile(r"/restapi/v1\.0/account/[^/]+/extension/([^/]+)/message-store(?:/([0-9,]+))?")


@dataclass
class Member:
    """One user: their mailbox, what they hold, and what they approved."""

    number: int
    username: str
    password: str
    extension_id: str
    mailbox: Store
    words: random.Random
    canaries: Canaries
    access: str | None = None
    refresh: str | None = None
    held: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict[str, list[str]](list))
    """What the user was given, by kind: plans, sync tokens, states, links. Thieves take it from here."""
    carried: set[bytes] = field(default_factory=set[bytes])
    """Canaries of others that this user sent as a thief: an answer may repeat them."""
    agreed: dict[str, set[tuple[str, str]]] = field(default_factory=dict[str, set[tuple[str, str]]])
    """What each plan that the user approved may still delete, once: messages and conversations."""
    purges: set[str] = field(default_factory=set[str])
    """Messages whose purge was approved."""

    def keep(self, kind: str, *things: str) -> None:
        """Remember things of a kind; they are canaries from now on."""
        held = self.held[kind]
        for thing in things:
            if thing not in held:
                held.append(thing)
                self.canaries.plant(self.number, thing)
        del held[:-KEPT]

    def word(self) -> str:
        """Return a new canary."""
        word = "zq" + "".join(self.words.choices(LETTERS, k=12))
        self.canaries.plant(self.number, word)
        return word

    def caller(self) -> Party:
        """Return a caller whose name and number only this user knows."""
        number = f"+1{201 + self.number}555{self.words.randrange(10_000):04d}"
        self.canaries.plant(self.number, number)
        return Party(name=f"Caller {self.word()}", phone_number=number)

    def receives(self, kind: str) -> str:
        """Add a message of this kind to the mailbox, and return its id."""
        word, caller = self.word(), self.caller()
        match kind:
            case "SMS":
                draft = Draft(type="SMS", sender=caller, text=f"Please call back about {word}")
            case "MMS":
                note = File(name=f"{self.word()}.txt", data=f"A note about {word} {self.word()}".encode())
                draft = Draft(type="SMS", sender=caller, text=f"See the note {word}", media=(note,))
            case "VoiceMail":
                sound = File(
                    name=f"{self.word()}.wav", data=b"RIFF\x24\0\0\0WAVEfmt " + self.word().encode() + b" " * 40
                )
                draft = Draft(
                    type="VoiceMail", sender=caller, media=(sound,), transcript=f"This is about {word}", seconds=9
                )
            case "Fax":
                page = File(name=f"{self.word()}.txt", data=f"A fax about {word} {self.word()}".encode())
                draft = Draft(type="Fax", sender=caller, media=(page,))
            case _:
                colleague = Party(name=f"Colleague {word}", extension_number=str(7_000 + self.words.randrange(900)))
                draft = Draft(type="Pager", sender=colleague, text=f"Did you see {self.word()}?")
        return self.note(self.mailbox.add(draft))

    def note(self, message: dict[str, Any]) -> str:
        """Make the ids of a message canaries; return the message's own."""
        ids = [str(message["id"]), str(message.get("conversationId", ""))]
        ids += [str(each["id"]) for each in message.get("attachments", [])]
        self.canaries.plant(self.number, *ids)
        return ids[0]

    def ids(self, *availability: str) -> list[str]:
        """Return the ids of the messages that have one of these, newest first."""
        return [str(m["id"]) for m in self.mailbox.messages() if m["availability"] in availability]


KINDS = ("SMS", "MMS", "VoiceMail", "Fax", "Pager")


@dataclass
class Practice:
    """The emulator, its users, and what reached it."""

    emulator: Emulator
    clock: Clock
    canaries: Canaries
    members: list[Member]
    deletes: int = 0
    other_account: str | None = None
    """The account of every second user. The server learns it where RingCentral says who logged in."""
    before: Callable[[ASGIApp], ASGIApp] | None = None
    """What stands before RingCentral, if a test wants something there."""
    wrongs: list[str] = field(default_factory=list[str])
    """What must never happen, in words."""

    def app(self) -> ASGIApp:
        """Return RingCentral as an application that notes each change."""
        app = self._watching(self.emulator.app)
        return self.before(app) if self.before else app

    def watch_sockets(self) -> None:
        """Note the changes that come over the emulator's own sockets too. Call this before it serves."""
        watched = self._watching(self.emulator.app.platform)
        self.emulator.app.platform = self.before(watched) if self.before else watched

    def member_of(self, extension_id: str) -> Member | None:
        return next((m for m in self.members if m.extension_id == extension_id), None)

    def _watching(self, app: ASGIApp) -> ASGIApp:
        async def watch(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope["method"] in {"DELETE", "PUT", "POST"}:
                self._note(scope)
            of_another = self.other_account and scope.get("path") == _WHO_LOGGED_IN and self._is_second(scope)
            await app(scope, receive, self._with_other_account(send) if of_another else send)

        return watch

    def _is_second(self, scope: Scope) -> bool:
        member = self._sender(scope)
        return member is not None and member.number % 2 == 1

    def _with_other_account(self, send: Send) -> Send:
        here, there = self.emulator.account_id.encode(), (self.other_account or "").encode()

        async def changed(message: Message) -> None:
            await send({**message, "body": message["body"].replace(here, there)} if "body" in message else message)

        return changed

    def _sender(self, scope: Scope) -> Member | None:
        token = dict(scope["headers"]).get(b"authorization", b"").decode().rpartition(" ")[2]
        user = self.emulator.sessions.user(token)
        return user and self.member_of(user.extension_id)

    def _note(self, scope: Scope) -> None:
        """Compare a request that changes something with what its user approved."""
        path, query = scope["path"], parse_qs(scope["query_string"].decode())
        if scope["method"] == "PUT" and path.endswith("message-store-configuration"):
            self.wrongs.append(f"the retention period of everybody was changed: {path}")
            return
        found = _DELETE.fullmatch(path)
        if scope["method"] != "DELETE" or not found:
            return
        self.deletes += 1
        member = self._sender(scope)
        if not member:
            self.wrongs.append("somebody who is not of the practice deletes")
            return
        if found[1] not in {"~", member.extension_id}:
            self.wrongs.append(f"user {member.number} deletes in the mailbox {found[1]}")
        ids = [*(found[2] or "").split(","), *",".join(query.get("conversationId", [])).split(",")]
        named = [each for each in ids if each]
        if not named:
            self.wrongs.append(f"user {member.number} deletes everything: {path}")
        kind = "conversation" if "conversationId" in query else "message"
        is_purge = query.get("purge") == ["true"]
        for each in named:
            plan = next((left for left in member.agreed.values() if (kind, each) in left), None)
            if plan is None:
                self.wrongs.append(f"user {member.number} did not approve that {kind} {each} is deleted, or not again")
            else:
                plan.discard((kind, each))
            if is_purge and each not in member.purges:
                self.wrongs.append(f"user {member.number} did not approve that {kind} {each} is purged")

    def check_mailboxes(self) -> None:
        """Find messages that are gone for good although nobody agreed to that."""
        for member in self.members:
            for message in member.mailbox.messages():
                if message["availability"] == "Purged" and str(message["id"]) not in member.purges:
                    self.wrongs.append(f"message {message['id']} of user {member.number} was purged")


@contextmanager
def practice(
    users: int,
    seed: int,
    *,
    messages: int = 10,
    rate_limits: bool = False,
    real_time: bool = False,
    two_tenants: bool = False,
) -> Generator[Practice]:
    """Yield a practice with this many users, each with some messages of each kind.

    Args:
        real_time: for replicas in processes of their own. By default only the test moves the clock.
        two_tenants: every second user is of another account.
    """
    clock, canaries = Clock(), Canaries()
    now = utc_now if real_time else clock
    with Emulator(scenario="empty", staff=users, rate_limits=rate_limits, now=now) as emulator:
        staff = [user for user in emulator.users if user.username.startswith("staff")]
        members = [
            Member(
                number=number,
                username=user.username,
                password=user.password,
                extension_id=user.extension_id,
                mailbox=emulator.mailboxes[user.extension_id],
                words=random.Random(f"{seed}/{number}"),  # noqa: S311  not secrets
                canaries=canaries,
            )
            for number, user in enumerate(staff)
        ]
        for member in members:
            canaries.plant(member.number, member.extension_id)
            for at in range(messages):
                member.receives(KINDS[at % len(KINDS)])
        other_account = str(int(emulator.account_id) + 1) if two_tenants else None  # as long as the other one
        yield Practice(emulator, clock, canaries, members, other_account=other_account)
