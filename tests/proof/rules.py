"""The policy of some seats, and what it means, said once more and apart from the guard's own code for it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from rc_mcp.emulator.wire import Message
from tests.proof.host import Now

BORIS = "+15035550191"
MAX_PER_PLAN = 4
MAX_IN = {timedelta(hours=1): 6, timedelta(days=1): 8}
"""How many messages may go within so long, whoever agreed and at whatever seat."""
UNATTENDED_PER_CALL = 2
UNATTENDED_IN = {timedelta(hours=1): 3, timedelta(days=1): 4}

POLICY = f"""
[unattended.delete]
types = ["SMS", "VoiceMail", "Pager"]
older_than = "1h"
read_status = "Unread"
max_per_call = {UNATTENDED_PER_CALL}
max_per_hour = 3
max_per_day = 4

[protected]
numbers = ["(503) 555-0191"]  # Boris, as somebody may write him

[limits]
max_per_plan = {MAX_PER_PLAN}
max_per_hour = 6
max_per_day = 8
"""


def is_protected(message: Message | None) -> bool:
    """Whether it is Boris's, who is never touched."""
    return message is not None and message.details["from"].get("phoneNumber") == BORIS


def may_go_unattended(message: Message | None, now: datetime) -> bool:
    """Whether the rule holds for a message as it is now. `now`, in UTC, is what the server's wall clock shows."""
    return (
        message is not None
        and message.type in {"SMS", "VoiceMail", "Pager"}
        and message.created_ms < (now - timedelta(hours=1)).timestamp() * 1000
        and message.read_status == "Unread"
        and not is_protected(message)
    )


@dataclass(frozen=True)
class Spent:
    """A message that one of our DELETEs took, by what really happened."""

    id: str
    sent: Now
    unattended: bool
