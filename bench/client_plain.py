"""The jobs of `bench/client.py` with plain httpx: the requests, their JSON and the files, and nothing else.

It retries nothing, waits for no rate limit, checks no answer and assumes that the mailbox does not change. A client
over httpx cannot cost less.
"""

import json
import sys
from pathlib import Path
from typing import Any

import anyio
import httpx2 as httpx
from at_once import each
from measuring import measuring
from pydantic_core import from_json

STORE = "/restapi/v1.0/account/~/extension/~/message-store"
BULK = "application/vnd.ringcentral.multipart+json"


async def list_all(http: httpx.AsyncClient, plan: Any) -> int:
    found: list[Any] = []
    page, more = 1, True
    while more:
        window = {"dateFrom": plan["since"], "dateTo": plan["until"], "perPage": 1000, "page": page}
        answer = from_json((await http.get(STORE, params=window)).content)
        found += answer["records"]
        page, more = page + 1, "nextPage" in answer["navigation"]
    return len(found)


async def read(http: httpx.AsyncClient, plan: Any) -> int:
    ids = plan["ids"][:500]
    parts: list[Any] = []

    async def part(chunk: list[str]) -> None:
        answer = await http.get(f"{STORE}/{','.join(chunk)}", headers={"Accept": BULK})
        parts.extend(from_json(answer.content))

    await each(part, [ids[at : at + 50] for at in range(0, len(ids), 50)])
    return sum(part["status"] == 200 for part in parts)


async def mark(http: httpx.AsyncClient, plan: Any) -> int:
    body = [{"resourceId": id_, "body": {"readStatus": "Read"}} for id_ in plan["ids"]]
    headers = {"Content-Type": BULK, "Accept": BULK}
    answer = await http.put(f"{STORE}/*", content=json.dumps(body), headers=headers)
    return sum(part["status"] == 200 for part in from_json(answer.content))


async def fetch(http: httpx.AsyncClient, plan: Any) -> int:
    async def one(at: tuple[int, list[str]]) -> None:
        number, (_, _, path) = at
        content = (await http.get(plan["media_url"] + path)).raise_for_status().content
        Path(plan["folder"], str(number)).write_bytes(content)  # noqa: ASYNC240  the cheapest way

    attachments: list[list[str]] = plan["attachments"]
    await each(one, list(enumerate(attachments)))
    return len(attachments)


async def main(plan: Any) -> None:
    async with httpx.AsyncClient(base_url=plan["server_url"], timeout=60) as http:
        grant = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": plan["jwt"]}
        login = await http.post("/restapi/oauth/token", data=grant, auth=(plan["client_id"], plan["client_secret"]))
        http.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
        with measuring(plan, lambda: 0) as result:
            result["done"] = await {"list": list_all, "read": read, "mark": mark, "fetch": fetch}[plan["job"]](
                http, plan
            )


anyio.run(main, json.loads(sys.argv[1]))
