"""The jobs of `bench/client.py` with `ringcentral` from PyPI, as documented: one request after another.

Reads put many ids into one address, for which its answers have `multipart()`. A header puts 50 changes into one
request.
"""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from measuring import measuring

# Not imported by name: the type checker's environment lacks the package, and the package has no types.
SDK: Any = import_module("ringcentral").SDK
sessions: Any = import_module("requests.sessions").Session
STORE = "/restapi/v1.0/account/~/extension/~/message-store"
BULK = "application/vnd.ringcentral.multipart+json"


def list_all(platform: Any, plan: Any) -> int:
    found: list[Any] = []
    page, more = 1, True
    while more:
        window = {"dateFrom": plan["since"], "dateTo": plan["until"], "perPage": 1000, "page": page}
        answer = platform.get(STORE, window).json_dict()
        found += answer["records"]
        page, more = page + 1, "nextPage" in answer["navigation"]
    return len(found)


def read(platform: Any, plan: Any) -> int:
    bodies: list[Any] = []
    for chunk in chunks(plan["ids"][:500]):
        bodies += [part.json_dict() for part in platform.get(f"{STORE}/{','.join(chunk)}").multipart()]
    return sum("id" in body for body in bodies)


def mark(platform: Any, plan: Any) -> int:
    done = 0
    for chunk in chunks(plan["ids"]):
        body = json.dumps([{"body": {"readStatus": "Read"}} for _ in chunk])
        headers = {"Content-Type": BULK, "Accept": BULK}
        parts = platform.put(f"{STORE}/{','.join(chunk)}", body, headers=headers).response().json()
        done += sum(part["status"] == 200 for part in parts)
    return done


def fetch(platform: Any, plan: Any) -> int:
    for number, (_, _, uri) in enumerate(plan["attachments"]):
        Path(plan["folder"], str(number)).write_bytes(platform.get(uri).response().content)
    return len(plan["attachments"])


def chunks(ids: list[str]) -> list[list[str]]:
    return [ids[at : at + 50] for at in range(0, len(ids), 50)]


def main(plan: Any) -> None:
    platform = SDK(plan["client_id"], plan["client_secret"], plan["server_url"]).platform()
    platform.login(jwt=plan["jwt"])
    sent = 0
    send = sessions.send

    def counted(*arguments: Any, **named: Any) -> Any:
        nonlocal sent
        sent += 1
        return send(*arguments, **named)

    sessions.send = counted
    job = {"list": list_all, "read": read, "mark": mark, "fetch": fetch, "large": fetch}[plan["job"]]
    with measuring(plan, lambda: sent) as result:
        result["done"] = job(platform, plan)


main(json.loads(sys.argv[1]))
