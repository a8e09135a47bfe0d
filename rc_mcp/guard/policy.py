"""What an operator allows and forbids beforehand: rules for unattended work, protected people, caps, a dry run.

It is judged on what was read from the mailbox, when a plan is made and again just before it is carried out, and never
on what a model says.

What the policy lets happen unattended happens without a question, also where the client could show one. The operator
wrote the file so that nobody has to sit there; a question that nobody answers is a stuck agent, and one that is asked
although the answer is known teaches people to say yes. The answer says that the policy agreed, and what was done. What
fits only in part is not split: it goes the ordinary way, as a whole, and a person decides.

A retention period is never changed unattended. Lowering it erases messages nobody looked at, so where anybody is
protected it is not lowered at all.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from rc_mcp.guard.numbers import may_be_same, number_fault, readings
from rc_mcp.guard.plans import MAX_MESSAGES
from rc_mcp.ringcentral import Caller, Direction, Message, MessageType
from rc_mcp.views.text import clean

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
_NAME_CHARS = 200
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
_SPAN = re.compile(r"([0-9]{1,6})([hdw])")
"""A century of 36,500 days has 876,000 hours; more digits could be no span that is taken."""
_SPAN_WANTED = 'has to be a span in hours (h), days (d) or weeks (w), such as "12h", "90d" or "3w", longer than nothing'
_NUMBER_WANTED = 'has to be a phone number such as "+16505550100", or an extension number such as "102", in quotes'

Spent = Callable[[timedelta], int]
"""How many messages went within so long a time until now."""


def _span(value: object) -> timedelta:
    if isinstance(value, str) and (parts := _SPAN.fullmatch(value)):
        span = timedelta(**{_UNITS[parts[2]]: int(parts[1])})
        if timedelta() < span <= timedelta(days=36_500):
            return span
    # A minute is of no use in a policy, and who writes 6m for six months would lose what is six minutes old.
    ambiguous = isinstance(value, str) and re.fullmatch(r"[0-9]+ ?m[a-z]*", value, re.IGNORECASE)
    raise ValueError(f"{_SPAN_WANTED}{' (m could mean minutes or months)' if ambiguous else ''}")


def _number(value: object) -> str:
    fault = number_fault(value) if isinstance(value, str) else "it is not in quotes"
    if not isinstance(value, str) or fault:
        raise ValueError(f"{_NUMBER_WANTED} ({fault})")
    return value


def _name(value: object) -> str:
    if isinstance(value, str) and _folded(value):
        return value
    raise ValueError('has to be a name such as "Maria Costa", in quotes')


Cap = Annotated[int, Field(ge=1)]
PlanCap = Annotated[int, Field(ge=1, le=MAX_MESSAGES)]


class _Section(BaseModel):
    """A misspelt line is an error, and so is a value of another type: a rule is not to be guessed at."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Rule(_Section):
    """What may happen with nobody watching: every line has to hold for every message.

    Five lines have to be there: which types, how old, read or not, how many at once and how many a day. So an empty
    section allows nothing, and none of the five is opened by being forgotten.
    """

    types: Annotated[list[MessageType], Field(min_length=1)]
    older_than: Annotated[timedelta, BeforeValidator(_span)]
    read_status: Literal["Read", "Unread", "Any"]
    direction: Direction | None = None
    max_per_call: PlanCap
    max_per_hour: Cap | None = None
    max_per_day: Cap

    def lines(self, message: Message, now: datetime) -> dict[str, bool]:
        """For each line that is about single messages: whether it holds for this one. What is not known does not."""
        created = message.creation_time
        lines = {
            "types": message.type in self.types,
            "older_than": created is not None and created < now - self.older_than,
            "read_status": message.read_status == self.read_status
            or (self.read_status == "Any" and message.read_status in {"Read", "Unread"}),
        }
        return lines if self.direction is None else lines | {"direction": message.direction == self.direction}

    def over(self, n: int, spent: Spent) -> str | None:
        """Which cap `n` more messages would break."""
        return _over(n, spent, max_per_call=self.max_per_call, hour=self.max_per_hour, day=self.max_per_day)


class Unattended(_Section):
    """Deleting and purging each have a rule of their own, or none."""

    delete: Rule | None = None
    purge: Rule | None = None


class Protected(_Section):
    """Whose messages are never deleted or purged, whoever asks, on whichever side of a message they stand."""

    numbers: list[Annotated[str, BeforeValidator(_number)]] = []
    names: list[Annotated[str, BeforeValidator(_name)]] = []


class Limits(_Section):
    """Caps on everything the guard lets through, by whatever channel it was agreed to."""

    max_per_plan: PlanCap | None = None
    max_per_call: PlanCap | None = None
    max_per_hour: Cap | None = None
    max_per_day: Cap | None = None

    def over(self, n: int, spent: Spent) -> str | None:
        """Which cap `n` more messages would break."""
        sizes = {"max_per_plan": self.max_per_plan, "max_per_call": self.max_per_call}
        return _over(n, spent, **sizes, hour=self.max_per_hour, day=self.max_per_day)


class Policy(_Section):
    """An operator's policy file. Without one there is nothing unattended, nobody protected, no cap but a plan's own."""

    unattended: Unattended = Unattended()
    protected: Protected = Protected()
    limits: Limits = Limits()
    dry_run: bool = False

    def rule(self, *, purge: bool) -> Rule | None:
        """The rule for unattended deletes, or for unattended purges."""
        return self.unattended.purge if purge else self.unattended.delete

    @property
    def protects_anybody(self) -> bool:
        """Whether there is anyone to protect."""
        return bool(self.protected.numbers or self.protected.names)

    def protectors(self, message: Message) -> list[str]:
        """The numbers and names, as the file spells them, because of which this message is never touched."""
        parties = list(_parties(message))
        return [entry for entry, fits in self._entries if any(fits(party) for party in parties)]

    def protects(self, message: Message) -> bool:
        """Whether this message is never touched, whoever asks."""
        return bool(self.protectors(message))

    def is_unsure_of(self, message: Message) -> bool:
        """Whether a protected person could be behind this message without a way to see it.

        The other side gives no number. A person who is asked may decide about it; unattended it is left alone.
        """
        others = message.other_side
        unknown = not others or any(not (c.phone_number or c.extension_number) for c in others)
        return self.protects_anybody and unknown

    def fits(self, message: Message, now: datetime, *, purge: bool) -> bool:
        """Whether this message may be deleted (or purged) unattended, but for the caps."""
        return self.misfits([message], now, purge=purge) == {}

    def objection(self, misfits: Mapping[str, int] | None, n: int, spent: Spent, *, purge: bool) -> str | None:
        """Why `n` messages with these misfits may not be deleted (or purged) unattended. None: they may."""
        rule = self.rule(purge=purge)
        if rule is None or misfits is None:
            return "nothing of the kind may happen unattended"
        over = rule.over(n, spent)
        lines = [f"{line} does not hold for {misfit} of {n}" for line, misfit in misfits.items()]
        return "; ".join([*lines, *([over] if over else [])]) or None

    def misfits(self, messages: Iterable[Message], now: datetime, *, purge: bool) -> dict[str, int] | None:
        """Which lines keep these messages from going unattended, and how many by each. None: there is no rule."""
        rule = self.rule(purge=purge)
        if rule is None:
            return None
        return dict(Counter(line for m in messages for line in self._misfits(m, now, rule)))

    def _misfits(self, message: Message, now: datetime, rule: Rule) -> list[str]:
        lines = {
            "not protected": not self.protects(message),
            "known sender": not self.is_unsure_of(message),
            **rule.lines(message, now),
        }
        return [line for line, holds in lines.items() if not holds]

    @cached_property
    def _entries(self) -> list[tuple[str, Callable[[Caller], bool]]]:
        numbers = [(entry, _has_number(entry)) for entry in self.protected.numbers]
        return numbers + [(entry, _has_name(entry)) for entry in self.protected.names]


NO_POLICY = Policy()


def _has_number(entry: str) -> Callable[[Caller], bool]:
    protected = readings(entry)

    def fits(party: Caller) -> bool:
        given = (party.phone_number, party.extension_number)
        return any(may_be_same(protected, readings(g)) for g in given if g)

    return fits


def _has_name(entry: str) -> Callable[[Caller], bool]:
    protected = _folded(entry)
    return lambda party: party.name is not None and _folded(party.name) == protected


def _folded(name: str) -> str:
    """A name as it is compared: case, width, how an accent is written, spaces and what is invisible do not count."""
    some = clean(unicodedata.normalize("NFKC", name[: 8 * _NAME_CHARS]), _NAME_CHARS)
    return unicodedata.normalize("NFKC", some.casefold())


def _parties(message: Message) -> Iterator[Caller]:
    """Who stands on a message in lists as well as when it is read alone: how it was read must not decide."""
    if message.from_:
        yield message.from_
    yield from message.to
    if message.forwarding and message.forwarding.original_sender:
        yield message.forwarding.original_sender


def _over(n: int, spent: Spent, *, hour: int | None, day: int | None, **sizes: int | None) -> str | None:
    for name, cap in sizes.items():
        if cap is not None and n > cap:
            return f"{name} is {cap}, and these are {n}"
    for name, cap, window in (("max_per_hour", hour, HOUR), ("max_per_day", day, DAY)):
        if cap is not None and (used := spent(window)) + n > cap:
            return f"{name} is {cap}, of which {used} are used, and these are {n}"
    return None
