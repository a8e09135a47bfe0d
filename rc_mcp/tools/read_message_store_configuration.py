"""read_message_store_configuration: how long the account keeps faxes and voicemails."""

from typing import Annotated

from pydantic import BaseModel, Field

from rc_mcp.app import Ctx, app_of
from rc_mcp.tools.arguments import AccountId


class StoreConfiguration(BaseModel):
    """The account's message store settings."""

    retention_period: Annotated[int | None, Field(description="Days.")] = None
    note: str = "Texts and pager messages are kept without a time limit."


async def read_message_store_configuration(ctx: Ctx, account_id: AccountId = "~") -> StoreConfiguration:
    """Read how many days the account keeps faxes and voicemails. Needs an administrator."""
    app = app_of(ctx)
    configuration = await app.client.read_message_store_configuration(account_id=account_id)
    if configuration.retention_period:
        app.retention_days[account_id] = configuration.retention_period
    return StoreConfiguration(retention_period=configuration.retention_period)
