"""Calls that have something to do in the demo's mailbox: every demo has the same ids."""

from typing import Any

from rc_mcp.emulator import Emulator
from rc_mcp.tools import tools_for

Arguments = dict[str, Any]


def calls_of_every_tool(records: list[dict[str, Any]] | None = None) -> dict[str, list[Arguments]]:
    """Arguments for each tool, the plainest first. A tool that is not named here is called without any."""
    if records is None:
        with Emulator() as emulator:
            records = emulator.store.messages()
    alive = [record for record in records if record["availability"] == "Alive"]
    unread = [str(record["id"]) for record in alive if record["readStatus"] == "Unread"][:2]
    deleted = [str(record["id"]) for record in records if record["availability"] == "Deleted"][:2]
    faxes = [record for record in alive if record["type"] == "Fax"]
    fax = next(record for record in faxes if record["attachments"][0]["contentType"] == "application/pdf")
    text = next(record for record in alive if record["type"] == "SMS")
    attachment = {"message_id": str(fax["id"]), "attachment_id": str(fax["attachments"][0]["id"])}
    known: dict[str, list[Arguments]] = {
        "list_messages": [{"date_from": "30d"}, {}, {"message_type": ["Fax"], "per_page": 2, "page": 2}],
        "search_messages": [{"query": "referral"}, {"query": "from:maria type:text", "sort": "relevance"}],
        "sync_messages": [{"date_from": "30d"}],
        "read_message": [{"message_id": unread + deleted}],
        "read_message_content": [attachment],
        "update_message": [{"message_id": unread, "read_status": "Read"}],
        "patch_message": [{"message_id": deleted, "availability": "Alive"}],
        "delete_message": [{"message_id": unread}, {"message_id": unread, "purge": True}],
        "delete_message_by_filter": [{"conversation_id": [str(text["conversationId"])]}],
        "update_message_store_configuration": [{"retention_period": 7}, {"retention_period": 90}],
    }
    return {tool.name: known.get(tool.name, [{}]) for tool in tools_for("admin", with_search=True)}
