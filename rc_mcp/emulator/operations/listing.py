"""listMessages: one page of the mailbox, newest first."""

from dataclasses import dataclass

from starlette.responses import Response

from rc_mcp.emulator.errors import Json
from rc_mcp.emulator.mailbox.records import record_json
from rc_mcp.emulator.mailbox.selection import Selection
from rc_mcp.emulator.operations import query
from rc_mcp.emulator.operations.filters import Window, mailbox_filter, uri, window
from rc_mcp.emulator.operations.operation import Call, records_response
from rc_mcp.emulator.vocabulary import AVAILABILITIES, READ_STATUSES

_PER_PAGE_DEFAULT = 100
_PER_PAGE_MAX = 1000
_REPEATED = (
    "messageType direction readStatus conversationId phoneNumber distinctConversations owner voicemailOwner "
    "ownerExtensionType"
)
"""The filters that the address of an answer repeats."""


@dataclass(frozen=True)
class _Page:
    number: int
    size: int
    total: int
    base_uri: str

    @property
    def last(self) -> int:
        # An empty result has one page, which is empty, as it was recorded.
        return max(1, -(-self.total // self.size)) if self.size else 0


def list_messages(call: Call) -> Response:
    asked = window(call, call.store.now_ms())
    selection = _selection(call, asked)
    number = query.integer(call.query, "page", default=1, least=1)
    size = min(query.integer(call.query, "perPage", default=_PER_PAGE_DEFAULT, least=0), _PER_PAGE_MAX)
    messages = call.store.select(selection, limit=size, offset=(number - 1) * size)
    page = _Page(
        number,
        size,
        call.store.count(selection),
        uri(call, "message-store", _REPEATED, asked, selection.availabilities),
    )
    return records_response(
        {"uri": _page_uri(page, number)},
        [record_json(message, call.store.addresses) for message in messages],
        {"paging": _paging(page, len(messages)), "navigation": _navigation(page)},
    )


def _selection(call: Call, asked: Window) -> Selection:
    return mailbox_filter(call)._replace(
        read_statuses=query.members(call.query, "readStatus", READ_STATUSES),
        availabilities=query.members(call.query, "availability", AVAILABILITIES) or ("Alive",),
        phone_number=call.query.get("phoneNumber"),
        created_from_ms=asked.from_ms,
        # Both ends are included: whole seconds are compared, and RingCentral's own client pages back by passing the
        # creation time of its last message. A start after the end is not refused, but finds nothing.
        created_to_ms=call.store.now_ms() if asked.to_ms is None else asked.to_ms,
        distinct_conversations=query.boolean(call.query, "distinctConversations"),
    )


def _paging(page: _Page, shown: int) -> Json:
    paging: Json = {"perPage": page.size, "totalElements": page.total}
    if page.size:
        paging["totalPages"] = page.last
    if 1 <= page.number <= page.last:
        paging["page"] = page.number
    if shown:
        start = (page.number - 1) * page.size
        paging |= {"pageStart": start, "pageEnd": start + shown - 1}
    return paging


def _navigation(page: _Page) -> Json:
    pages = {"firstPage": 1, "lastPage": page.last} if page.last else {}
    if page.number < page.last:
        pages["nextPage"] = page.number + 1
    if 1 < page.number <= page.last:
        pages["previousPage"] = page.number - 1
    return {name: {"uri": _page_uri(page, number)} for name, number in pages.items()}


def _page_uri(page: _Page, number: int) -> str:
    return f"{page.base_uri}&page={number}&perPage={page.size}"
