"""GET /restapi and /restapi/v1.0: the versions of the API. They need no login and count for no limit."""

from rc_mcp.emulator.errors import Json
from rc_mcp.emulator.mailbox.records import Hosts

PATHS = ("/restapi", "/restapi/v1.0")


def versions(path: str, hosts: Hosts) -> Json:
    """Return the answer at one of `PATHS`. /restapi has the values that the live service sent in August 2026."""
    version: Json = {
        "uri": f"{hosts.server_url}/restapi/v1.0",
        "versionString": "1.0.60",
        "releaseDate": "2024-09-05T00:00:00.000Z",
        "uriString": "v1.0",
    }
    if path == PATHS[1]:
        return version
    return {
        "uri": f"{hosts.server_url}/restapi",
        "apiVersions": [version],
        "serverVersion": "26.3.1.10210249",
        "serverRevision": "6b1ddbc8",
    }
