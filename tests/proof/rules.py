"""The policy of some connections, and its meaning, written independently of the guard's own code."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from rc_mcp.emulator.mailbox.records import MessageRecord
from tests.proof.host import Now

BORIS = "+15035550191"
MAX_PER_PLAN = 4
MAX_IN = {timedelta(hours=1): 6, timedelta(days=1): 8}
"""How many messages may be deleted in each span, over all approvals and connections."""
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
numbers = ["(503) 555-0191"]  # Boris, in another format

[limits]
max_per_plan = {MAX_PER_PLAN}
max_per_hour = 6
max_per_day = 8
"""


def is_protected(message: MessageRecord | None) -> bool:
    """Return whether the message is from Boris, who is protected."""
    return message is not None and message.details["from"].get("phoneNumber") == BORIS


def may_go_unattended(message: MessageRecord | None, now: datetime) -> bool:
    """Return whether the rule matches a message in its current state. `now`, in UTC, is the server's wall clock."""
    return (
        message is not None
        and message.type in {"SMS", "VoiceMail", "Pager"}
        and message.created_ms < (now - timedelta(hours=1)).timestamp() * 1000
        and message.read_status == "Unread"
        and not is_protected(message)
    )


@dataclass(frozen=True)
class Spent:
    """A message that one of our DELETEs removed, according to the mailbox."""

    id: str
    sent: Now
    unattended: bool
