"""amagi-mcp-probe: starts the server over stdio, checks every schema, and calls every tool."""

import json
from pathlib import Path
from typing import Any

from rc_mcp.emulator import Emulator
from rc_mcp.tools import tools_for
from tests.serving import RC_MCP
from tests.suites.conftest import Judge


def test_every_tool_answers_real_arguments_without_a_warning(judge: Judge, tmp_path: Path) -> None:
    calls = real_calls()
    assert calls.keys() == {tool.name for tool in tools_for("admin")}
    file = tmp_path / "calls.json"
    file.write_text(json.dumps(calls))
    options = ["--allow-destructive", "--strict", "--env", f"RC_MCP_STATE_DIR={tmp_path}", "--args", str(file)]
    ran = judge("amagi_mcp_probe.cli", *options, "--", *RC_MCP, "serve", "--demo")
    assert ran.returncode == 0, ran.stderr


def real_calls() -> dict[str, list[dict[str, Any]]]:
    """Calls that find something: every demo has the same ids."""
    with Emulator() as emulator:
        records = emulator.store.messages()
    alive = [record for record in records if record["availability"] == "Alive"]
    deleted = next(record for record in records if record["availability"] == "Deleted")
    fax = next(record for record in alive if record["type"] == "Fax")
    text = next(record for record in alive if record["type"] == "SMS")
    ids = [str(record["id"]) for record in alive[:3]]
    attachment = {"message_id": str(fax["id"]), "attachment_id": str(fax["attachments"][0]["id"])}
    return {
        "list_messages": [{}, {"date_from": "30d", "message_type": ["Fax"], "per_page": 2, "page": 2}],
        "sync_messages": [{"date_from": "7d"}],
        "read_message": [{"message_id": ids}],
        "read_message_content": [attachment],
        "read_message_store_configuration": [{}],
        "update_message": [{"message_id": ids, "read_status": "Read"}],
        "patch_message": [{"message_id": [str(deleted["id"])], "availability": "Alive"}],
        "delete_message": [{"message_id": ids}, {"message_id": ids, "purge": True}],
        "delete_message_by_filter": [{"conversation_id": [str(text["conversationId"])], "date_to": "1d"}],
        "update_message_store_configuration": [{"retention_period": 7}, {"retention_period": 90}],
    }
