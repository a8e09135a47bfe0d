"""Our server over stdio, on a mailbox with its database where mcp-groundtruth can watch it.

Its argument is the database, filled before. The clock is stopped, so that only tools make a difference.
"""

import sys
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2 as httpx

from rc_mcp.emulator import Emulator
from rc_mcp.server import build_server
from rc_mcp.settings import load_settings

MOMENT = datetime.fromisoformat("2026-11-02T10:00:00Z")


def main(database: Path) -> None:
    with TemporaryDirectory() as plans, Emulator(db=database, rate_limits=False, now=lambda: MOMENT) as emulator:
        settings = load_settings(
            RC_SERVER_URL=emulator.server_url,
            RC_MEDIA_URL=emulator.media_url,
            RC_APP_CLIENT_ID=emulator.client_id,
            RC_APP_CLIENT_SECRET=emulator.client_secret,
            RC_USER_JWT=emulator.jwt,
            RC_MCP_STATE_DIR=plans,
        )
        transport = httpx.ASGITransport(app=emulator.app)
        build_server(settings, transport=transport, now=lambda: MOMENT).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
