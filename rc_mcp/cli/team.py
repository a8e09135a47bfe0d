"""rc-mcp serve --http --team: one replica of the server for several people."""

import asyncio
import socket
import sys

import psycopg

from rc_mcp.cli.exits import fail, refuse
from rc_mcp.cli.http_server import HttpServer
from rc_mcp.settings import Settings, SettingsError
from rc_mcp.team.database import AWAY, DatabaseAway, WrongVersion, check, reason
from rc_mcp.team.json_logs import log_as_json, say
from rc_mcp.team.replica import PATH, check_team, open_replica
from rc_mcp.team.telemetry import start


def check_start(settings: Settings) -> None:
    """Exit unless a replica can start with these settings and this database."""
    try:
        check_team(settings)
        check(settings.database_url.get_secret_value() if settings.database_url else "")
    except (SettingsError, WrongVersion) as error:
        refuse(str(error))
    except psycopg.Error as error:
        fail(AWAY.format(why=reason(error)))


def serve_team(settings: Settings, listening: list[socket.socket]) -> None:
    """Serve until SIGTERM or SIGINT. Stderr has lines of JSON, the first with the address; stdout stays empty."""
    telemetry = start()
    log_as_json()

    async def run() -> None:
        async with open_replica(settings) as replica:
            about = f"a team at {settings.public_url}, access {settings.access}"
            await HttpServer(replica.app, replica.door, path=PATH, about=about, say=say).serve_here(listening)

    # psycopg cannot use the default event loop of Windows.
    loop = asyncio.SelectorEventLoop if sys.platform == "win32" else None
    try:
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(run())
    except SettingsError as error:
        refuse(str(error))
    except DatabaseAway as error:
        fail(str(error))
    finally:
        telemetry.shutdown()
