"""RingCentral's own Python SDK at work on a mailbox: prints its results as one line of JSON.

Runs in an environment of its own. Its argument is the emulator's startup output.
"""

import json
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

# Not imported by name: where types are checked it is not installed, and it has none.
SDK: Any = import_module("ringcentral").SDK
ApiException: type[Exception] = import_module("ringcentral.http.api_exception").ApiException

MAILBOX = "/restapi/v1.0/account/~/extension/~"
STORE = f"{MAILBOX}/message-store"
CONFIGURATION = "/restapi/v1.0/account/~/message-store-configuration"


def see(at: dict[str, str]) -> dict[str, Any]:
    platform: Any = SDK(at["client_id"], at["client_secret"], at["server_url"]).platform()
    seen: dict[str, Any] = {}

    token = platform.login(jwt=at["jwt"]).json_dict()
    platform.refresh()
    seen["login"] = {"type": token["token_type"], "renewed": platform.auth().access_token() != token["access_token"]}

    page = platform.get(
        STORE, {"messageType": ["SMS", "VoiceMail"], "readStatus": "Unread", "dateFrom": at["since"], "perPage": 5}
    ).json_dict()
    seen["list"] = {
        "records": [[record["type"], record["readStatus"]] for record in page["records"]],
        "perPage": page["paging"]["perPage"],
        "next": "nextPage" in page["navigation"],
    }
    first, second = (record["id"] for record in page["records"][:2])
    record = platform.get(f"{STORE}/{first}").json_dict()
    seen["read"] = [record["id"] == first, record["availability"]]

    parts = platform.get(f"{STORE}/{first},{second},111").multipart()
    bodies = [json.loads(part.body()) for part in parts]
    seen["bulk_read"] = [
        [part.response().status_code, body.get("id") in {first, second}, body.get("errorCode")]
        for part, body in zip(parts, bodies, strict=True)
    ]

    seen["update"] = platform.put(f"{STORE}/{first}", {"readStatus": "Read"}).json_dict()["readStatus"]
    seen["patch"] = platform.patch(f"{STORE}/{first}", {"readStatus": "Unread"}).json_dict()["readStatus"]

    sync = {"syncType": "FSync", "recordCount": 3, "dateFrom": at["since"]}
    full = platform.get(f"{MAILBOX}/message-sync", sync).json_dict()
    last = full["records"][-1]["id"]
    seen["delete"] = platform.delete(f"{STORE}/{last}").response().status_code
    sync = {"syncType": "ISync", "syncToken": full["syncInfo"]["syncToken"]}
    changed = platform.get(f"{MAILBOX}/message-sync", sync).json_dict()["records"]
    seen["sync"] = {
        "records": len(full["records"]),
        "older": full["syncInfo"]["olderRecordsExist"],
        "removed": [change for change in changed if change["id"] == last] == [{"id": last, "availability": "Deleted"}],
    }
    seen["restore"] = platform.patch(f"{STORE}/{last}", {"availability": "Alive"}).json_dict()["availability"]

    voicemails = platform.get(STORE, {"messageType": "VoiceMail", "dateFrom": at["since"]}).json_dict()["records"]
    uri = voicemails[0]["attachments"][0]["uri"]
    addresses = {"media": uri, "platform": uri.replace(at["media_url"], at["server_url"])}
    seen["content"] = {name: part_of(platform, address) for name, address in addresses.items()}

    before = platform.get(CONFIGURATION).json_dict()["retentionPeriod"]
    after = platform.put(CONFIGURATION, {"retentionPeriod": 45}).json_dict()["retentionPeriod"]
    seen["configuration"] = [before, after]

    seen["not_found"], _ = refused(lambda: platform.get(f"{STORE}/111"))
    for _ in range(60):
        seen["limited"], retry_after = refused(lambda: platform.get(STORE, {"perPage": 1}))
        if retry_after:
            seen["retry_after_s"] = int(retry_after)
            break
    seen["logout"] = platform.logout().response().status_code
    return seen


def part_of(platform: Any, address: str) -> list[Any]:
    answer = platform.get(address, headers={"Range": "bytes=0-9"}).response()
    return [
        answer.status_code,
        len(answer.content),
        answer.headers["Content-Type"],
        answer.headers["Content-Range"][:11],
    ]


def refused(call: Callable[[], Any]) -> tuple[list[Any] | None, str | None]:
    """The status, code and parameter of a refusal as the SDK hands it on, and when to come back."""
    try:
        call()
    except ApiException as error:
        failed: Any = error
        answer = failed.api_response().response()
        body = answer.json()
        return [answer.status_code, body["errorCode"], body.get("parameterName")], answer.headers.get("Retry-After")
    return None, None


sys.stdout.write(json.dumps(see(json.loads(sys.argv[1]))))
