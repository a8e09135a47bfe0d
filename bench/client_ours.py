"""The jobs of `bench/client.py` with our client: independent requests run at once, in a task group.

Pages of a list are not independent: each begins where the one before ended.
"""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
import httpx2 as httpx
from at_once import each
from measuring import measuring

from rc_mcp.ringcentral import JWTAuth, MessageStoreClient


class Counting(httpx.AsyncHTTPTransport):
    sent = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent += 1
        return await super().handle_async_request(request)


async def list_all(store: MessageStoreClient, plan: Any) -> int:
    since, until = datetime.fromisoformat(plan["since"]), datetime.fromisoformat(plan["until"])
    return len([message async for message in store.iter_messages(date_from=since, date_to=until)])


async def read(store: MessageStoreClient, plan: Any) -> int:
    ids = plan["ids"][:500]
    outcomes: list[Any] = []

    async def part(chunk: list[str]) -> None:
        outcomes.extend(await store.read_messages(chunk))

    await each(part, [ids[at : at + 50] for at in range(0, len(ids), 50)])
    return sum(outcome.ok for outcome in outcomes)


async def mark(store: MessageStoreClient, plan: Any) -> int:
    return sum(outcome.ok for outcome in await store.update_message(plan["ids"], "Read"))


async def fetch(store: MessageStoreClient, plan: Any) -> int:
    async def one(at: tuple[int, list[str]]) -> None:
        number, (message, attachment, _) = at
        await store.download(message, attachment, Path(plan["folder"], str(number)))

    attachments: list[list[str]] = plan["attachments"]
    await each(one, list(enumerate(attachments)))
    return len(attachments)


async def main(plan: Any) -> None:
    auth = JWTAuth(plan["server_url"], plan["client_id"], plan["client_secret"], plan["jwt"])
    transport = Counting()
    where: dict[str, Any] = {"server_url": plan["server_url"], "media_url": plan["media_url"], "transport": transport}
    async with MessageStoreClient(auth, **where, assume_limits=False) as store:
        await store.read_message_store_configuration()
        transport.sent = 0
        with measuring(plan, lambda: transport.sent) as result:
            job = {"list": list_all, "read": read, "mark": mark, "fetch": fetch, "large": fetch}[plan["job"]]
            result["done"] = await job(store, plan)


anyio.run(main, json.loads(sys.argv[1]))
