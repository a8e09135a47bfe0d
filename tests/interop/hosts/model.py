"""A made-up model for Claude Code, on this machine: it reads a page of a fax, then wants to delete that, come what may.

Arguments: a file for the results of its tools, one JSON a line, and the command to run with this model.
"""

import json
import os
import re
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

STEPS = ("list_messages", "read_message_content", "delete_message")
SEEN = Path(sys.argv[1])


def arguments(step: int, results: list[Any]) -> dict[str, Any]:
    ids = re.findall(r'"(\d{13})', json.dumps(results).replace("\\", ""))
    fax = ids[0] if ids else ""
    return [
        {"date_from": "30d", "message_type": ["Fax"]},
        {"message_id": fax, "form": "pages"},
        {"message_id": [fax]},
    ][step]


class Model(BaseHTTPRequestHandler):
    """The messages endpoint of the API, as a stream of events."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        contents = [m["content"] for m in asked.get("messages", []) if isinstance(m["content"], list)]
        results = [block["content"] for content in contents for block in content if block["type"] == "tool_result"]
        SEEN.write_text("".join(json.dumps(result) + "\n" for result in results) or SEEN.read_text())
        step = len(results)
        names = [
            tool["name"] for tool in asked.get("tools", []) if step < len(STEPS) and tool["name"].endswith(STEPS[step])
        ]
        block: dict[str, Any] = {"type": "text", "text": ""}
        delta: dict[str, Any] = {"type": "text_delta", "text": "done"}
        if names:
            block = {"type": "tool_use", "id": f"toolu_{step}", "name": names[0], "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(arguments(step, results))}
        stop = {"stop_reason": "tool_use" if names else "end_turn", "stop_sequence": None}
        used = {"input_tokens": 1, "output_tokens": 1}
        message: dict[str, Any] = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "made-up",
            "content": [],
            "usage": used,
        }
        self.answer(
            {"type": "message_start", "message": {**message, "stop_reason": None, "stop_sequence": None}},
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": stop, "usage": used},
            {"type": "message_stop"},
        )

    def answer(self, *events: dict[str, Any]) -> None:
        body = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


SEEN.write_text("")
server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}"
sys.exit(subprocess.call(sys.argv[2:], env={**os.environ, "ANTHROPIC_BASE_URL": address}))
