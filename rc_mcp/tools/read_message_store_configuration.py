"""read_message_store_configuration: how long the account keeps faxes and voicemails."""

from typing import Annotated

from pydantic import BaseModel, Field

from rc_mcp.session import Ctx, session_of
from rc_mcp.tools.arguments import AccountId

_MOST_DAYS = 36_500
"""A century. No expiry date is computed from a longer period, or from one below a day."""


class StoreConfiguration(BaseModel):
    """The account's message store settings."""

    retention_period: Annotated[int | None, Field(description="Days.")] = None
    note: str = "Texts and pager messages are kept without a time limit."


async def read_message_store_configuration(ctx: Ctx, account_id: AccountId = "~") -> StoreConfiguration:
    """Read how many days the account keeps faxes and voicemails. Needs an administrator."""
    app = session_of(ctx)
    configuration = await app.client.read_message_store_configuration(account_id=account_id)
    days = configuration.retention_period
    if days is not None and 1 <= days <= _MOST_DAYS:
        await app.remember_retention(account_id, days)
    return StoreConfiguration(retention_period=days)
