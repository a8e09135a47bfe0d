"""Each recorded handshake, replayed against the running server: every host reaches a safe delete and a readable fax.

The road of a delete depends on what the client offered, and the answer says which it is: a question in the host, or a
plan that is approved in the chat or in a terminal. The model alone never gets further than the plan or the question.
"""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner

from rc_mcp.cli import main
from rc_mcp.cli.demo.screen import rows
from rc_mcp.inbox.app import META_KEY, OPEN, PREFIX
from rc_mcp.tools import tools_for
from tests.hosts.table import MODERN, TABLE, Generation, Handshake, Host
from tests.protocol.wire import LEGACY, Json, Wire, meta, request, stdio

pytestmark = pytest.mark.anyio

YES: Json = {"action": "accept", "content": {"confirm": True}}
NO: Json = {"action": "decline"}

# Each is replayed in both generations, so a host that says the same in both is there once.
ALL = [
    pytest.param(host, handshake, id=f"{host.title} {handshake.name}{n or ''}")
    for host in TABLE.hosts
    for n, handshake in enumerate(host.handshakes)
    if handshake.capabilities not in [before.capabilities for before in host.handshakes[:n]]
]


@dataclass
class Guest:
    """A model in a host, at the other end of the wire."""

    wire: Wire
    handshake: Handshake
    generation: Generation
    asked: int = 0
    """How many questions its host was sent."""
    calls: int = 0

    async def arrive(self) -> None:
        """Say what the host says at its first contact; the server must speak the same protocol."""
        if self.generation == "server/discover":
            found = await self.wire.answer_to(request("hello", "server/discover", **self._meta()))
            assert MODERN in found["result"]["supportedVersions"]
        else:
            version = LEGACY if self.handshake.protocol == MODERN else self.handshake.protocol
            answer = await self.wire.initialize(version, **self.handshake.capabilities)
            assert answer["result"]["protocolVersion"] == version

    async def ask(self, method: str, **params: Any) -> Json:
        """Send a request; the result."""
        self.calls += 1
        return (await self.wire.answer_to(request(self.calls, method, **params, **self._meta())))["result"]

    async def call(self, tool: str, reply: Json = NO, **arguments: Any) -> Json:
        """Call a tool; where the host is asked, it replies so. Return the answer."""
        self.calls += 1
        call = request(self.calls, "tools/call", name=tool, arguments=arguments, **self._meta())
        if self.generation == "server/discover":
            result = (await self.wire.answer_to(call))["result"]
            if result["resultType"] == "input_required":
                self.asked += 1
                answers = dict.fromkeys(result["inputRequests"], reply)
                again = {**call["params"], "inputResponses": answers, "requestState": result["requestState"]}
                result = (await self.wire.answer_to(request(f"again-{self.calls}", "tools/call", **again)))["result"]
            return result
        await self.wire.send(call)
        while (message := await self.wire.receive()).get("id") != self.calls or "method" in message:
            if message.get("method") == "elicitation/create":
                self.asked += 1
                await self.wire.send({"jsonrpc": "2.0", "id": message["id"], "result": reply})
        return message["result"]

    async def delete(self, message_id: str, reply: Json = NO, **arguments: Any) -> Json:
        """Call delete_message; the structured answer."""
        return (await self.call("delete_message", reply, message_id=[message_id], **arguments))["structuredContent"]

    async def is_there(self, message_id: str) -> bool:
        """Whether the message is not deleted."""
        [message] = (await self.call("read_message", message_id=[message_id]))["structuredContent"]["messages"]
        return message.get("availability", "Alive") == "Alive"

    def _meta(self) -> Json:
        return {"_meta": meta(**self.handshake.capabilities)} if self.generation == "server/discover" else {}


@asynccontextmanager
async def arrived(folder: Path, handshake: Handshake, generation: Generation) -> AsyncGenerator[Guest]:
    async with stdio(folder) as wire:
        guest = Guest(wire, handshake, generation)
        await guest.arrive()
        yield guest


async def three_texts(guest: Guest) -> list[str]:
    listed = await guest.call("list_messages", date_from="30d", message_type=["SMS"], per_page=3)
    return [row["id"] for row in rows(listed["structuredContent"]["messages"])]


@pytest.mark.process
@pytest.mark.parametrize("generation", ["initialize", "server/discover"])
@pytest.mark.parametrize(("host", "handshake"), ALL)
async def test_every_host_reaches_a_safe_delete_and_a_readable_fax_and_no_model_gets_there_alone(
    host: Host, handshake: Handshake, generation: Generation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RC_MCP_APPROVAL", "human")
    async with arrived(tmp_path, handshake, generation) as guest:
        names = [tool["name"] for tool in (await guest.ask("tools/list"))["tools"]]
        of_page = [name for name in names if name == OPEN or name.startswith(PREFIX)]
        assert len(names) - len(of_page) == len(tools_for("admin"))
        assert bool(of_page) == handshake.shows_apps
        if generation == handshake.generation:  # what is read depends on nothing that the other one says
            await reads_a_fax(guest, host)
        one, other, _ = await three_texts(guest)
        first = await guest.delete(one)
        assert guest.asked == handshake.offers_a_form
        plan = {} if guest.asked else {"plan_id": first["plan_id"]}
        tries: tuple[Json, ...] = ({"purge": True}, plan, plan, {"plan_id": "aaaa-aaaa"})
        alone = [first, *[await guest.delete(one, **more) for more in tries]]
        assert {answer["status"] for answer in alone} <= {"declined", "refused", "confirmation_required"}
        assert await guest.is_there(one)
        if guest.asked:
            done = await guest.delete(one, YES)
        else:
            assert (first["status"], first["approve_in"]) == ("confirmation_required", "terminal")
            approve(tmp_path, first["plan_id"])
            done = await guest.delete(one, **plan)
        assert done["outcomes"] == {one: "deleted"}
        assert not await guest.is_there(one)
        assert await guest.is_there(other)


async def reads_a_fax(guest: Guest, host: Host) -> None:
    """As text in every host, and as pictures where the host may show them to its model."""
    listed = await guest.call("list_messages", date_from="30d", message_type=["Fax"])
    ids = [row["id"] for row in rows(listed["structuredContent"]["messages"])]
    faxes = (await guest.call("read_message", message_id=ids))["structuredContent"]["messages"]
    fax = next(found["id"] for found in faxes if "application/pdf" in json.dumps(found["attachments"]))
    words = json.loads((await guest.call("read_message_content", message_id=fax))["content"][0]["text"])
    assert words["form"] == "text"
    assert len(words["untrusted"]["text"]) > 100
    if host.images[0] != "no":
        pages = await guest.call("read_message_content", message_id=fax, form="pages")
        assert [block["type"] for block in pages["content"][:2]] == ["text", "image"]


def approve(folder: Path, plan_id: str) -> None:
    """The user's own terminal."""
    said = CliRunner().invoke(main, ["approvals", "approve", plan_id, "--yes"], env={"RC_MCP_STATE_DIR": str(folder)})
    assert said.exit_code == 0, said.output


@pytest.mark.process
@pytest.mark.parametrize(("host", "handshake"), [p for p in ALL if not cast("Handshake", p.values[1]).offers_a_form])
async def test_a_host_without_questions_is_told_where_to_approve(
    host: Host, handshake: Handshake, tmp_path: Path
) -> None:
    async with arrived(tmp_path, handshake, handshake.generation) as guest:
        one, *_ = await three_texts(guest)
        answer, final = await guest.call("delete_message", message_id=[one]), await guest.delete(one, purge=True)
        undoable = answer["structuredContent"]
        # In the newer protocol these clients do not say their name, so a button in them is no proof.
        in_app = handshake.shows_apps and handshake.generation == "initialize"
        assert [undoable["approve_in"], final["approve_in"]] == ["app" if in_app else "chat", "terminal"]
        assert (await guest.delete(one, purge=True, plan_id=final["plan_id"]))["status"] == "refused"
        if in_app:
            assert (await guest.delete(one, plan_id=undoable["plan_id"]))["status"] == "refused"
            assert await guest.is_there(one)
            done = await presses_yes(guest, undoable["plan_id"], one, answer["_meta"][META_KEY]["secret"])
        else:
            assert await guest.is_there(one)
            done = await guest.delete(one, plan_id=undoable["plan_id"])
        assert done["outcomes"] == {one: "deleted"}


async def presses_yes(guest: Guest, plan_id: str, message_id: str, secret: str) -> Json:
    """What the page sends when its user presses yes; the structured answer."""
    decision: Json = {"plan_id": plan_id, "approve": True, "message_ids": [message_id], "secret": secret}
    return (await guest.call(f"{PREFIX}decide", **decision))["structuredContent"]


@pytest.mark.parametrize("host", TABLE.hosts, ids=lambda host: host.title)
def test_the_table_says_what_was_recorded_and_names_a_source_for_each_answer(host: Host) -> None:
    for answer, source in host.answers().values():
        assert source in TABLE.sources if answer != "?" else source in {"-", *TABLE.sources}
    assert sorted({source for h in TABLE.hosts for _, source in h.answers().values()} - {"-"}) == sorted(TABLE.sources)
    if host.know == "assumed":
        assert (host.form[0], {h.offers_a_form for h in host.handshakes}) == ("?", {False, True})
        return
    for handshake in host.handshakes:
        elicitation = handshake.capabilities.get("elicitation", {})
        extensions = handshake.capabilities.get("extensions", {})
        assert (host.form[0] == "yes") == handshake.offers_a_form
        assert host.url[0] == "?" or (host.url[0] == "yes") == ("url" in elicitation)
        assert (host.apps[0] == "yes") == ("io.modelcontextprotocol/ui" in extensions)
    assert host.protocol[0] == max(h.protocol for h in host.handshakes)
