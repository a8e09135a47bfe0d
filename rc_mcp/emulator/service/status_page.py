"""The status page at `/` of the platform address: the emulator's messages and recent requests.

Each message has a link to its own page (`message_page.py`). This page reloads itself without a script. Because it shows
text from untrusted senders, the browser may not load or run anything. It shows no credentials, so it needs no login.
"""

from collections import deque
from collections.abc import Collection, Mapping
from importlib.resources import files
from urllib.parse import urlencode

from starlette.responses import Response

from rc_mcp.emulator.clock import Clock
from rc_mcp.emulator.dates import to_ms, to_wire
from rc_mcp.emulator.login.identity import Account
from rc_mcp.emulator.mailbox.lifecycle import pass_time, retention_days
from rc_mcp.emulator.mailbox.records import MessageRecord
from rc_mcp.emulator.mailbox.store import Store
from rc_mcp.emulator.scenarios.scenarios import filled_with
from rc_mcp.emulator.service.faults import Fault
from rc_mcp.emulator.service.html import Cell, Html, Number, facts, foreign, html, html_page, section, side_by_side
from rc_mcp.emulator.service.rate_limits import Usage
from rc_mcp.emulator.service.request_log import SeenRequest
from rc_mcp.emulator.vocabulary import MESSAGE_TYPES, READ_STATUSES

_RENEWED_EVERY_S = 3
_REQUESTS_SHOWN = 40
_MESSAGES_SHOWN = 100
_COUNTED = ["Unread", "Read", "Deleted", "Purged"]

CSS = files("rc_mcp.emulator.service").joinpath("status_page.css").read_text("utf-8")
_REFRESH = f'<meta http-equiv="refresh" content="{_RENEWED_EVERY_S}">\n'
HEADER = "<header><h1>RingCentral emulator</h1><p>Part of rc-mcp. No message here is real.</p></header>"


def status_page(
    *,
    account: Account,
    mailboxes: Mapping[str, Store],
    requests: deque[SeenRequest],
    usage: Collection[Usage],
    faults: Collection[Fault],
    clock: Clock,
) -> Response:
    owner = mailboxes[account.owner.extension_id]
    pass_time(owner)
    names = {user.extension_id: f"{user.name} ({user.extension_number})" for user in account.users}
    content = [
        HEADER,
        _overview(owner, requests, clock),
        side_by_side(_by_type(owner, names[account.owner.extension_id]), _by_mailbox(mailboxes, names)),
        _last_changed_messages(owner),
        _last_requests(requests),
        side_by_side(_limits(usage, names), _faults(faults)),
    ]
    return html_page("RingCentral emulator", CSS, "\n".join(content), head=_REFRESH)


def _overview(owner: Store, requests: deque[SeenRequest], clock: Clock) -> Html:
    return facts(
        {
            "Emulator time, UTC": _moment(to_ms(clock())),
            "Time": "stopped" if clock.scale == 0 else f"{clock.scale:g} x real time",
            "Scenario": filled_with(owner),
            "Retention of faxes and voicemails": f"{retention_days(owner)} days",
            "Requests in the log": f"{len(requests):,}",
        }
    )


def _by_type(owner: Store, name: str) -> Html:
    tally = owner.tally()
    rows = [[kind, *_counts(tally, {kind})] for kind in MESSAGE_TYPES]
    return section(f"Messages of {name}", ["Type", *_COUNTED], rows)


def _by_mailbox(mailboxes: Mapping[str, Store], names: Mapping[str, str]) -> Html:
    rows = [[names[key], *_counts(store.tally(), set(MESSAGE_TYPES))] for key, store in mailboxes.items()]
    return section("Mailboxes", ["User", *_COUNTED], rows)


def _counts(tally: Mapping[tuple[str, str, str], int], types: Collection[str]) -> list[Number]:
    def count(availability: str, read_statuses: Collection[str] = READ_STATUSES) -> Number:
        return Number(sum(tally.get((kind, availability, read), 0) for kind in types for read in read_statuses))

    return [count("Alive", ["Unread"]), count("Alive", ["Read"]), count("Deleted"), count("Purged")]


def _limits(usage: Collection[Usage], names: Mapping[str, str]) -> Html:
    rows = [[names.get(each.user, "Unknown user"), each.group, _used(each), _penalty(each)] for each in usage]
    return section("Rate limits", ["User", "Group", "This minute", "Penalty"], rows, "No requests counted.")


def _used(usage: Usage) -> Html:
    bar = f'<meter value="{usage.used}" max="{usage.limit}" high="{usage.limit * 4 // 5}" optimum="0"></meter>'
    return Html(f"{bar} {usage.used} of {usage.limit}")


def _penalty(usage: Usage) -> Cell:
    return Html(f'<b class="bad">{usage.penalty_s} s</b>') if usage.penalty_s else ""


def _faults(faults: Collection[Fault]) -> Html:
    rows = [
        [fault.kind, fault.operation or "any", fault.method or "any", f"{fault.times or 'until cleared'}"]
        for fault in faults
    ]
    return section("Active faults", ["Kind", "Operation", "Method", "Times"], rows, "No active faults.")


def _last_requests(requests: deque[SeenRequest]) -> Html:
    rows = [
        [_when(to_ms(seen.time)), _status(seen), seen.method, foreign(_address(seen), 300), seen.fault or ""]
        for seen in list(requests)[: -_REQUESTS_SHOWN - 1 : -1]
    ]
    return section("Last requests", ["Time, UTC", "Status", "Method", "Address", "Fault"], rows, "No requests yet.")


def _status(seen: SeenRequest) -> Html:
    if seen.status == 0:
        return Html('<b class="bad">none</b>')
    level = "good" if seen.status < 400 else "warn" if seen.status < 500 else "bad"
    return Html(f'<b class="{level}">{seen.status}</b>')


def _address(seen: SeenRequest) -> str:
    query = urlencode(seen.query_without_secrets(), safe=":/*~,", errors="replace")
    host = "media " if seen.entry_point == "media" else ""
    return f"{host}{seen.path}{'?' if query else ''}{query}"


def _last_changed_messages(owner: Store) -> Html:
    shown = owner.matching("1 ORDER BY modified_ms DESC, created_ms DESC, id DESC LIMIT ?", _MESSAGES_SHOWN)
    head = ["Changed, UTC", "Created, UTC", "Type", "State", "", "Sender or recipients", "Text"]
    return section("Messages, last changed first", head, [_row(message) for message in shown], "No messages.")


def _row(message: MessageRecord) -> list[Cell]:
    inbound = message.direction == "Inbound"
    parties = [message.details.get("from", {})] if inbound else message.details.get("to", [])
    names = [next((party[key] for key in ("name", "phoneNumber") if party.get(key)), "") for party in parties]
    text = message.details.get("subject", "") if message.type in {"SMS", "Pager"} else ""
    return [
        _when(message.modified_ms),
        _when(message.created_ms),
        Html(f'<a href="/messages/{message.id}">{html(message.type)}</a>'),
        state_of(message),
        "from" if inbound else "to",
        foreign(", ".join(names), 40),
        foreign(text),
    ]


def state_of(message: MessageRecord) -> str:
    """Return what a user would call the state: nobody reads an outgoing message, but it may not have been sent."""
    if message.availability != "Alive":
        return message.availability
    if message.direction == "Outbound":
        return message.details.get("messageStatus") or "Sent"
    return message.read_status


def _when(ms: int) -> Html:
    day, _, time = _moment(ms).partition(" ")
    return Html(f"<time><span>{day}</span> {time}</time>")


def _moment(ms: int) -> str:
    return to_wire(ms)[:19].replace("T", " ")
