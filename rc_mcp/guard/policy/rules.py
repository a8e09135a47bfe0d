"""The operator's policy: rules for unattended work, protected senders and recipients, caps, a dry run.

The policy is applied to messages read from the mailbox, when a plan is made and again just before it is carried out.
It never relies on a model's word.

A plan that the policy allows unattended needs no question, even if the client could show one. The operator wants it to
run without a user present: an unanswered question blocks the agent, and a needless one trains users to approve without
reading. The answer says that the policy approved, and lists the outcomes. A plan that fits only in part is not split:
the user decides about all of it.

A retention period is never changed unattended. Lowering it erases messages without a check of each, so a policy that
protects any number or name forbids it.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from rc_mcp.guard.policy.phone_numbers import may_be_same, number_fault, readings
from rc_mcp.guard.state.plans import MAX_MESSAGES
from rc_mcp.ringcentral import Caller, Direction, Message, MessageType
from rc_mcp.views.joiners import without_joiners
from rc_mcp.views.untrusted_text import clean

_WINDOWS = {"max_per_hour": timedelta(hours=1), "max_per_day": timedelta(days=1)}
"""The caps that count messages of earlier plans too, and how far back."""
_NAME_CHARS = 200
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
_SPAN = re.compile(r"([0-9]{1,6})([hdw])")
"""The longest allowed span, 36,500 days, has 876,000 hours, so six digits are enough."""
SPAN_WANTED = 'must be a span in hours (h), days (d) or weeks (w), such as "12h", "90d" or "3w", longer than zero'
NUMBER_WANTED = 'must be a phone number such as "+16505550100", or an extension number such as "102", in quotes'
NAME_WANTED = 'must be a name such as "Maria Costa", in quotes'

_UNMET = {"not protected": "protected", "known sender": "with an unknown sender"}

Spent = Callable[[timedelta], int]
"""The number of messages deleted or purged within a span until now."""


def _span(value: object) -> timedelta:
    if isinstance(value, str) and (parts := _SPAN.fullmatch(value)):
        span = timedelta(**{_UNITS[parts[2]]: int(parts[1])})
        if timedelta() < span <= timedelta(days=36_500):
            return span
    # Minutes are not useful here, and an operator who writes 6m for six months would lose messages six minutes old.
    ambiguous = isinstance(value, str) and re.fullmatch(r"[0-9]+ ?m[a-z]*", value, re.IGNORECASE)
    raise ValueError(f"{SPAN_WANTED}{' (m could mean minutes or months)' if ambiguous else ''}")


def _number(value: object) -> str:
    fault = number_fault(value) if isinstance(value, str) else "it is not in quotes"
    if not isinstance(value, str) or fault:
        raise ValueError(f"{NUMBER_WANTED} ({fault})")
    return value


def _name(value: object) -> str:
    if isinstance(value, str) and _folded(value):
        return value
    raise ValueError(NAME_WANTED)


Cap = Annotated[int, Field(ge=1)]
PlanCap = Annotated[int, Field(ge=1, le=MAX_MESSAGES)]


class _Section(BaseModel):
    """A section of the file. Unknown keys and values of a wrong type are errors, because guessing is not safe."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Caps(_Section):
    """A section with caps on deletions and purges."""

    def over(self, n: int, spent: Spent) -> str | None:
        """Return the cap that `n` more messages would break, if any."""
        caps = {name: cap for name, cap in self if name.startswith("max_per_") and cap is not None}
        for name, cap in caps.items():
            used = spent(_WINDOWS[name]) if name in _WINDOWS else 0
            if used + n > cap:
                already = f", of which {used} are used" if name in _WINDOWS else ""
                return f"{name} is {cap}{already}, and this plan needs {n}"
        return None


class Rule(_Caps):
    """A rule for unattended changes. Every line must hold for every message.

    Five lines are required: types, age, read status, how many per call and how many per day. So an empty section is
    an error, and a forgotten line never widens the rule.
    """

    types: Annotated[list[MessageType], Field(min_length=1)]
    older_than: Annotated[timedelta, BeforeValidator(_span)]
    read_status: Literal["Read", "Unread", "Any"]
    direction: Direction | None = None
    max_per_call: PlanCap
    max_per_hour: Cap | None = None
    max_per_day: Cap

    def lines(self, message: Message, now: datetime) -> dict[str, bool]:
        """Return whether each line about single messages holds for this one. It does not for unknown values."""
        created = message.creation_time
        lines = {
            "types": message.type in self.types,
            "older_than": created is not None and created < now - self.older_than,
            "read_status": message.read_status == self.read_status
            or (self.read_status == "Any" and message.read_status in {"Read", "Unread"}),
        }
        return lines if self.direction is None else lines | {"direction": message.direction == self.direction}


class Unattended(_Section):
    """Separate rules for unattended deletes and purges. Both are optional."""

    delete: Rule | None = None
    purge: Rule | None = None


class Protected(_Section):
    """Senders and recipients whose messages are never deleted or purged, even with approval."""

    numbers: list[Annotated[str, BeforeValidator(_number)]] = []
    names: list[Annotated[str, BeforeValidator(_name)]] = []


class PolicyLimits(_Caps):
    """Caps on all deletions and purges, however approved."""

    max_per_plan: PlanCap | None = None
    max_per_call: PlanCap | None = None
    max_per_hour: Cap | None = None
    max_per_day: Cap | None = None


class Policy(_Section):
    """An operator's policy. The default allows nothing unattended, protects no messages and caps only single plans."""

    unattended: Unattended = Unattended()
    protected: Protected = Protected()
    limits: PolicyLimits = PolicyLimits()
    dry_run: bool = False

    def rule(self, *, purge: bool) -> Rule | None:
        return self.unattended.purge if purge else self.unattended.delete

    @property
    def protects_anybody(self) -> bool:
        return bool(self.protected.numbers or self.protected.names)

    def protectors(self, message: Message) -> list[str]:
        """Return the numbers and names in the file that protect this message."""
        parties = list(_parties(message))
        return [entry for entry, fits in self._entries if any(fits(party) for party in parties)]

    def protects(self, message: Message) -> bool:
        """Return whether this message must never be deleted or purged, even with approval."""
        return bool(self.protectors(message))

    def is_unsure_of(self, message: Message) -> bool:
        """Return whether the other side has no number, so that a protected one cannot be recognized.

        The user may approve deleting such a message. Unattended it is never deleted.
        """
        others = message.other_side
        unknown = not others or any(not (c.phone_number or c.extension_number) for c in others)
        return self.protects_anybody and unknown

    def fits(self, message: Message, now: datetime, *, purge: bool) -> bool:
        """Return whether this message may be deleted (or purged) unattended, caps aside."""
        return self.misfits([message], now, purge=purge) == {}

    def objection(self, misfits: Mapping[str, int] | None, n: int, spent: Spent, *, purge: bool) -> str | None:
        """Return why `n` messages with these misfits may not be deleted (or purged) unattended, or None if they may."""
        rule = self.rule(purge=purge)
        if rule is None or misfits is None:
            return "there is no unattended rule for this kind of change"
        over = rule.over(n, spent)
        lines = [f"{misfit} of {n} {unmet(line)}" for line, misfit in misfits.items()]
        return "; ".join([*lines, *([over] if over else [])]) or None

    def misfits(self, messages: Iterable[Message], now: datetime, *, purge: bool) -> dict[str, int] | None:
        """Return how many messages break each line of the unattended rule. None: there is no rule."""
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
    """Return a name for comparison, with case, width, form of accents, spaces and invisible characters unified."""
    some = without_joiners(clean(unicodedata.normalize("NFKC", name[: 8 * _NAME_CHARS]), _NAME_CHARS))
    return unicodedata.normalize("NFKC", some.casefold())


def _parties(message: Message) -> Iterator[Caller]:
    """Yield the callers that a record has both in lists and when read by id, so that both are treated the same."""
    yield from message.senders
    yield from message.to
    if message.forwarding and message.forwarding.original_sender:
        yield message.forwarding.original_sender


def unmet(line: str) -> str:
    """Return the words after the number of messages that do not meet this condition of a rule."""
    return _UNMET.get(line, f"not matching {line}")
