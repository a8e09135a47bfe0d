"""The mailboxes that an emulator can start with.

`office` is an ordinary mailbox, `empty` an empty one. `busy` has three months of a large practice. `full` has as many
voicemails as allowed, all unheard. In `hostile` every sender is an attacker. `recorded` has the forms of messages that
RingCentral was recorded to send and that are rare in the others.
"""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal, get_args

from rc_mcp.emulator.mailbox.lifecycle import RETENTION_DAYS_RANGE, set_retention_days
from rc_mcp.emulator.mailbox.new_message import Draft
from rc_mcp.emulator.mailbox.store import Store
from rc_mcp.emulator.scenarios.generate import generate
from rc_mcp.emulator.scenarios.hostile import hostile_drafts
from rc_mcp.emulator.scenarios.office import Office, load_office
from rc_mcp.emulator.scenarios.users import fill_colleagues

Scenario = Literal["office", "empty", "busy", "full", "hostile", "recorded"]
SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)

_BUSY_MESSAGES = 5_000
_BUSY_SPAN = timedelta(days=89)
_FULL_VOICEMAILS = 200
# As in office.toml, ages assume a start late on a Thursday afternoon.
_ASSUMED_START = datetime(2026, 3, 5, 17)  # noqa: DTZ001  an office's own time


def fill(
    mailboxes: dict[str, Store], office: Office, scenario: Scenario, count: int, seed: int, start: datetime
) -> None:
    """Add the scenario's messages, unless the database was filled before: it keeps its messages and their state.

    Raises:
        ValueError: there is no scenario of this name.
    """
    if scenario not in SCENARIOS:
        raise ValueError(f"scenario must be one of {', '.join(SCENARIOS)}, not {scenario!r}.")
    store = next(iter(mailboxes.values()))
    if store.setting("epoch", 0):
        return
    store.set_setting("scenario", SCENARIOS.index(scenario))
    drafts = [*_own_drafts(office, scenario, seed, start), *generate(count, seed, start)]
    # Oldest first, because ids grow with time.
    store.add_all(sorted(drafts, key=lambda draft: draft.created or start))
    if scenario == "office":
        fill_colleagues(mailboxes, office, seed, start)
    if scenario == "busy":
        # With the default of 30 days, the first request would purge two thirds of its faxes and voicemails.
        set_retention_days(store, RETENTION_DAYS_RANGE[-1])
    store.set_setting("epoch", store.now_ms())


def filled_with(store: Store) -> Scenario:
    """Return the scenario that the mailbox was first filled with, which a database file keeps."""
    return SCENARIOS[store.setting("scenario", 0)]


def _own_drafts(office: Office, scenario: Scenario, seed: int, start: datetime) -> Iterator[Draft]:
    match scenario:
        case "office":
            yield from office.drafts(start)
        case "busy":
            yield from _busy(seed, start)
        case "full":
            for draft in generate(_FULL_VOICEMAILS, seed, start, kinds=("VoiceMail",)):
                yield replace(draft, read=False)
        case "hostile":
            yield from hostile_drafts(start)
        case "recorded":
            yield from load_office("recorded.toml").drafts(start)
        case "empty":
            pass


def _busy(seed: int, start: datetime) -> Iterator[Draft]:
    chance = random.Random(f"{seed}/busy")  # noqa: S311
    ages = sorted((_age(chance) for _ in range(_BUSY_MESSAGES)), reverse=True)
    for draft, age in zip(generate(_BUSY_MESSAGES, seed, start), ages, strict=True):
        # Nearly all messages older than a few days are read.
        old = age > timedelta(days=4) and chance.random() < 0.97
        yield replace(draft, created=start - age, read=draft.read or old)


def _age(chance: random.Random) -> timedelta:
    while True:
        age = _BUSY_SPAN * chance.random()
        if chance.random() < _likelihood(_ASSUMED_START - age):
            return age


def _likelihood(moment: datetime) -> float:
    """Return how likely a message is at this hour, relative to the middle of a working day."""
    weekend, working_hours = moment.weekday() >= 5, 8 <= moment.hour < 18
    return (0.12 if weekend else 1.0) * (1.0 if working_hours else 0.06)
