"""Every refusal ends with a statement that nothing was done, both in the source and in real answers."""

import ast
import importlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from click.testing import CliRunner
from mcp import Client
from pydantic import TypeAdapter

import rc_mcp
from rc_mcp.cli import main
from rc_mcp.cli.approvals import UNCHANGED
from rc_mcp.emulator import Draft, Party
from rc_mcp.guard.actions.retention import PERIOD_NOT_CHANGED, PERIOD_UNKNOWN
from rc_mcp.guard.refusals import NOTHING_DONE
from rc_mcp.guard.restore import NOTHING_RESTORED
from rc_mcp.guard.results import CHANGED_NOTHING
from rc_mcp.tools.search_messages import NOTHING_SEARCHED
from rc_mcp.tools.strict_tool import CRASHED
from rc_mcp.views.changes import MAYBE_CHANGED, NOTHING_CHANGED, PARTLY_CHANGED, READ_UNKNOWN
from tests.desk import CANCEL, DECLINE, EMPTY, NO, NOTHING, YES, Answer, Desk, Era, call, refused, text_of, typed

pytestmark = pytest.mark.anyio

ENDINGS = (
    NOTHING_DONE,
    "Nothing was sent to RingCentral.",
    NOTHING_SEARCHED,
    NOTHING_RESTORED,
    PERIOD_NOT_CHANGED,
    PERIOD_UNKNOWN,
    CHANGED_NOTHING,
    UNCHANGED,
    MAYBE_CHANGED,
    NOTHING_CHANGED,
    "It was not saved.",
    "Nothing was read.",
)
NOT_DONE = {"refused", "declined", "confirmation_required", "nothing_to_do", "failed"}
NOT_SURELY_DONE = NOT_DONE | {"unknown"}
ROOT = Path(rc_mcp.__file__).parent
# The exception: a policy is read before a server exists.
APART = {"policy_file.py"}
SOURCES = sorted(
    file
    for file in (
        *(ROOT / "guard").rglob("*.py"),
        *(ROOT / "tools").glob("*.py"),
        ROOT / "cli" / "approvals.py",
        *(ROOT / "attachments").glob("*.py"),
        ROOT / "server.py",
    )
    if file.name not in APART
)

# -- in the source --------------------------------------------------------------------------------------------------


def texts(file: Path) -> Iterator[tuple[str, ast.expr, ast.AST]]:
    """Yield each refusal in a file: its place, the expression of its text, and the function around it."""
    tree = ast.parse(file.read_text("utf-8"))
    for around in ast.walk(tree):
        if isinstance(around, ast.FunctionDef | ast.AsyncFunctionDef):
            for made in ast.walk(around):
                if isinstance(made, ast.Call) and (text := text_of_refusal(made)) is not None:
                    yield f"{file.relative_to(ROOT)}:{made.lineno}", text, around


def text_of_refusal(made: ast.Call) -> ast.expr | None:
    """Return the text of a call that creates a refusal, otherwise None."""
    name = made.func.id if isinstance(made.func, ast.Name) else getattr(made.func, "attr", "")
    named = {k.arg: k.value for k in made.keywords}
    # `__init__` with only a text belongs to one of our errors.
    if name in {"GuardError", "ToolError"} or (name == "__init__" and len(made.args) == 1):
        return made.args[0] if made.args else None
    if (
        name == "ChangeResult"
        and isinstance(named["status"], ast.Constant)
        and named["status"].value in NOT_SURELY_DONE
    ):
        return named["said"]
    status = named.get("status")
    if name == "Execution" and isinstance(status, ast.Constant) and status.value in NOT_SURELY_DONE:
        return named["problem"]
    to_stderr = name == "echo" and "err" in named
    return made.args[0] if to_stderr else None


def ending(text: ast.expr, around: ast.AST, module: Any) -> str:
    """Return the end of a text, as far as the source shows it."""
    match text:
        case ast.Constant(value=str(value)):
            return value
        case ast.JoinedStr(values=[*_, ast.FormattedValue(value=last)] | [*_, ast.Constant() as last]):
            return ending(last, around, module)
        case ast.Name(id=name) if isinstance(getattr(module, name, None), str):
            return getattr(module, name)
        case ast.Name(id=name):
            for node in ast.walk(around):
                if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == name:
                    return ending(node.value, around, module)
        case _:
            pass
    return f"not known: {ast.unparse(text)}"


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_every_refusal_in_the_source_ends_with_a_sentence_that_nothing_was_done(file: Path) -> None:
    module = importlib.import_module(".".join(("rc_mcp", *file.relative_to(ROOT).with_suffix("").parts)))
    said = {where: ending(text, around, module) for where, text, around in texts(file)}
    assert {where: words for where, words in said.items() if not words.endswith(ENDINGS)} == {}


def test_the_source_is_really_searched() -> None:
    found = [where.partition(":")[0] for file in SOURCES for where, *_ in texts(file)]
    assert len(found) >= 25
    assert set(found) >= {
        "guard/guard.py",
        "guard/results.py",
        "guard/actions/retention.py",
        "tools/strict_tool.py",
        "cli/approvals.py",
        "attachments/fetching.py",
        "server.py",
    }


# -- in real answers -----------------------------------------------------------------------------------------------


async def said(client: Client, tool: str, **arguments: Any) -> str:
    """Return the text that answers a call without effect."""
    result = await client.call_tool(tool, arguments)
    if result.is_error:
        return text_of(result)
    answer: dict[str, Any] = result.structured_content or {}
    assert answer["status"] in NOT_DONE, answer
    return answer["said"]


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("delete_message", {"message_id": []}),
        ("delete_message", {"message_id": ["x"]}),
        ("delete_message", {"message_id": ["1"], "sender": "x"}),
        ("delete_message", {"message_id": ["1"], "purge": "yes"}),
        ("delete_message", {"message_id": ["1"], "extension_id": "12345"}),
        ("delete_message", {"message_id": ["1"], "plan_id": "!"}),
        ("delete_message", {"message_id": [str(n) for n in range(201)]}),
        ("delete_message", {}),
        ("delete_message", dict.fromkeys("abcdefghij", 1)),
        ("delete_message_by_filter", {}),
        ("delete_message_by_filter", {"conversation_id": ["1"], "date_to": "soon"}),
        ("delete_message_by_filter", {"conversation_id": ["1"], "extension_id": "12345"}),
        ("update_message_store_configuration", {"retention_period": 6}),
        ("update_message_store_configuration", {"retention_period": 30, "days": 7}),
        ("update_message_store_configuration", {}),
    ],
)
async def test_arguments_that_are_refused(desk: Desk, era: Era, tool: str, arguments: dict[str, Any]) -> None:
    async with desk.client(era, answer=YES) as client:
        assert (await said(client, tool, **arguments)).endswith(("Nothing was sent to RingCentral.", NOTHING_DONE))
    assert desk.emulator.requests == []


@pytest.mark.parametrize(
    "answer", [DECLINE, CANCEL, NO, EMPTY, NOTHING, typed("PURGE 1"), typed("KEEP 8 DAYS")], ids=lambda a: str(a)[:60]
)
async def test_answers_other_than_approval(desk: Desk, era: Era, answer: Answer) -> None:
    ids = desk.ids(availability="Alive")[:2]
    async with desk.client(era, answer=answer) as client:
        for arguments in ({"message_id": ids}, {"message_id": ids, "purge": True}):
            assert (await said(client, "delete_message", **arguments)).endswith(NOTHING_DONE)
        assert (await said(client, "update_message_store_configuration", retention_period=7)).endswith(NOTHING_DONE)
    assert desk.sent("DELETE") == desk.sent("PUT") == []


async def test_plans_that_are_not_carried_out(desk: Desk, era: Era) -> None:
    target = desk.ids(availability="Alive")[:1]
    heard: list[str] = []
    async with desk.client(era) as client:

        async def plan(**more: Any) -> str:
            answer = await call(client, "delete_message", message_id=target, **more)
            heard.append(answer["said"])
            return answer["plan_id"]

        async def use(plan_id: str, **more: Any) -> None:
            heard.append(await said(client, "delete_message", message_id=target, plan_id=plan_id, **more))

        await use("none-such")
        await use(await plan(), purge=True)
        await use(await plan(purge=True), purge=True)
        denied = await plan()
        desk.plans.deny(denied)
        await use(denied)
        late = await plan()
        desk.clock.time += timedelta(minutes=10)
        await use(late)
        used = await plan()
        await call(client, "delete_message", message_id=target, plan_id=used)
        await use(used)
        heard.append(await said(client, "delete_message", message_id=target))
    async with desk.client(era, RC_MCP_ACCESS="delete") as client:
        heard.append(await said(client, "delete_message", message_id=target, purge=True))
    desk.state.stop()
    async with desk.client(era) as client:
        heard.append(await said(client, "delete_message", message_id=target))
    assert [words for words in heard if not words.endswith(ENDINGS)] == []
    assert len(heard) == 14


def unreachable(request: httpx.Request) -> None:
    raise httpx.ConnectError("no way", request=request)


def lost(request: httpx.Request) -> None:
    if request.method in {"DELETE", "PUT", "PATCH"}:
        raise httpx.ReadError("dropped", request=request)


def pretended(request: httpx.Request) -> httpx.Response | None:
    return httpx.Response(204, request=request) if request.method == "DELETE" else None


async def test_ringcentral_cannot_be_reached(desk: Desk, era: Era) -> None:
    desk.faults.before(unreachable)
    async with desk.client(era, answer=YES) as client:
        assert (await said(client, "delete_message", message_id=["1"])).endswith(NOTHING_DONE)
        assert (await said(client, "delete_message_by_filter", conversation_id=["1"])).endswith(NOTHING_DONE)
        assert (await said(client, "update_message_store_configuration", retention_period=7)).endswith(NOTHING_DONE)


def forbidden(request: httpx.Request) -> httpx.Response | None:
    body = {"errorCode": "CMN-408", "message": "no"}
    return httpx.Response(403, json=body, request=request) if request.method in {"DELETE", "PUT"} else None


async def test_a_failed_delete(desk: Desk, era: Era) -> None:
    desk.faults.before(forbidden)
    async with desk.client(era, answer=YES) as client:
        failed = await said(client, "delete_message", message_id=desk.ids(availability="Alive")[:2])
    assert failed.endswith(NOTHING_DONE)


@pytest.mark.parametrize("fault", [lost, pretended])
async def test_an_unknown_delete_that_may_still_be_carried_out(desk: Desk, era: Era, fault: Any) -> None:
    desk.faults.before(fault)
    async with desk.client(era, answer=YES) as client:
        answer = await call(client, "delete_message", message_id=desk.ids(availability="Alive")[:2])
    unknown = f"{answer['said']} {answer['next']}"
    assert NOTHING_DONE not in unknown
    assert "unknown" in unknown


async def test_a_retention_period_that_was_not_set(desk: Desk, era: Era) -> None:
    desk.faults.before(forbidden)
    async with desk.client(era, answer=typed("KEEP 7 DAYS")) as client:
        failed = await said(client, "update_message_store_configuration", retention_period=7)
    assert failed.endswith(PERIOD_NOT_CHANGED)


CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("update_message", {"read_status": "Read"}),
    ("patch_message", {"read_status": "Read"}),
    ("patch_message", {"availability": "Alive"}),
]
"""Tools that change messages without deleting them."""


Fault = Callable[[httpx.Request], httpx.Response | None]


def on_change(act: Fault) -> Fault:
    """Return a fault for requests that change messages."""
    return lambda request: act(request) if request.method in {"PUT", "PATCH", "DELETE"} else None


def answered(status: int, code: str) -> Fault:
    return on_change(lambda r: httpx.Response(status, json={"errorCode": code, "message": "no"}, request=r))


def crashed(_: httpx.Request) -> None:
    raise RuntimeError("secret detail")


def unfit(_: httpx.Request) -> None:
    """Raise a validation error, like an answer that does not fit our model."""
    TypeAdapter(int).validate_python("secret detail")


@pytest.mark.parametrize(("tool", "change"), CHANGES)
async def test_a_refused_change_says_that_nothing_was_changed(
    desk: Desk, era: Era, tool: str, change: dict[str, Any]
) -> None:
    desk.faults.before(answered(403, "CMN-408"))
    async with desk.client(era) as client:
        said_of_it = await refused(client, tool, message_id=desk.ids(availability="Deleted")[:2], **change)
    assert said_of_it.endswith(f". {NOTHING_CHANGED}")
    assert "CMN-408" in said_of_it


@pytest.mark.parametrize(("tool", "change"), CHANGES)
async def test_a_change_without_effect_says_that_nothing_was_changed(
    desk: Desk, era: Era, tool: str, change: dict[str, Any]
) -> None:
    target = desk.ids(availability="Deleted")[:1]
    async with desk.client(era) as client:
        assert (await said(client, tool, message_id=["404"], **change)).endswith(NOTHING_CHANGED)
        desk.faults.before(answered(400, "CMN-101"))
        assert (await said(client, tool, message_id=target, **change)).endswith(NOTHING_CHANGED)


async def test_a_partial_change_says_how_many_messages_were_not_changed(desk: Desk, era: Era) -> None:
    ids = desk.ids(availability="Alive")[:2]
    mixed = [
        {"status": 200, "resourceId": ids[0], "body": {"id": int(ids[0]), "readStatus": "Read"}},
        {"status": 400, "resourceId": ids[1], "body": {"errorCode": "CMN-101", "message": "no"}},
    ]
    desk.faults.before(on_change(lambda r: httpx.Response(207, json=mixed, request=r)))
    async with desk.client(era) as client:
        answer = await call(client, "update_message", message_id=ids, read_status="Read")
    assert answer["status"] == "partial"
    assert answer["said"].rpartition(". ")[2].startswith("1 ")


async def test_a_change_that_the_answer_does_not_show_is_not_reported_as_not_done(desk: Desk, era: Era) -> None:
    target = desk.ids(availability="Deleted")[0]
    half = {"id": int(target), "availability": "Alive", "readStatus": "Unread"}
    desk.faults.before(on_change(lambda r: httpx.Response(200, json=half, request=r)))
    async with desk.client(era) as client:
        answer = await call(client, "patch_message", message_id=target, availability="Alive", read_status="Read")
    assert answer["status"] == "failed"
    assert answer["said"].endswith(PARTLY_CHANGED)


@pytest.mark.parametrize("act", [lost, answered(503, "CMN-203"), answered(200, "none")])
@pytest.mark.parametrize(("tool", "change"), CHANGES)
async def test_a_change_that_may_have_been_carried_out_is_not_reported_as_without_effect(
    desk: Desk, era: Era, tool: str, change: dict[str, Any], act: Fault
) -> None:
    desk.faults.before(act)
    async with desk.client(era) as client:
        answer = await call(client, tool, message_id=desk.ids(availability="Deleted")[:2], **change)
    assert answer["status"] == "unknown"
    assert answer["next"] == READ_UNKNOWN
    assert NOTHING_CHANGED not in answer["said"]


@pytest.mark.parametrize("fault", [crashed, unfit])
@pytest.mark.parametrize(("tool", "change"), [*CHANGES, ("delete_message", {})])
async def test_a_crash_after_a_change_was_sent_says_that_it_may_have_been_carried_out(
    desk: Desk, era: Era, tool: str, change: dict[str, Any], fault: Fault
) -> None:
    desk.faults.after(on_change(fault))
    kind = "Alive" if tool == "delete_message" else "Deleted"
    async with desk.client(era, answer=YES) as client:
        crash = await refused(client, tool, message_id=desk.ids(availability=kind)[:1], **change)
    assert crash == f"{tool} {CRASHED} {MAYBE_CHANGED}"


async def test_a_delete_stopped_halfway_says_how_many_messages_are_left(desk: Desk, era: Era) -> None:
    for n in range(60):
        desk.emulator.store.add(Draft(type="SMS", text=f"parcel {n}", read=True))

    def stop(request: httpx.Request) -> None:
        if request.method == "DELETE":
            desk.state.stop()

    desk.faults.before(stop)
    async with desk.client(era, answer=YES) as client:
        answer = await call(client, "delete_message", message_id=desk.ids(availability="Alive")[:60])
    assert answer["status"] == "partial"
    assert "10 were" in answer["said"]


async def test_more_than_a_plan_may_hold(desk: Desk, era: Era) -> None:
    for n in range(201):
        desk.emulator.store.add(Draft(type="SMS", sender=Party(phone_number="+15035550199"), text=f"parcel {n}"))
    desk.clock.time += timedelta(seconds=2)
    conversation = desk.emulator.store.messages()[0]["conversation"]["id"]
    async with desk.client(era, answer=YES) as client:
        assert (await said(client, "delete_message_by_filter", conversation_id=[conversation])).endswith(NOTHING_DONE)


async def test_a_state_folder_that_cannot_be_used(desk: Desk, era: Era) -> None:
    desk.state_dir.write_text("not a folder")
    async with desk.client(era, answer=YES) as client:
        answer = await said(client, "delete_message", message_id=desk.ids(availability="Alive")[:1])
    assert answer.endswith(NOTHING_DONE)
    ended = CliRunner().invoke(main, ["approvals"], env={"RC_MCP_STATE_DIR": str(desk.state_dir)})
    assert (ended.exit_code, ended.stderr.strip().endswith(NOTHING_DONE)) == (1, True)


async def test_the_approvals_command(desk: Desk, era: Era) -> None:
    def run(*arguments: str) -> str:
        ended = CliRunner().invoke(main, ["approvals", *arguments], env={"RC_MCP_STATE_DIR": str(desk.state_dir)})
        return (ended.stderr or ended.stdout).strip()

    async with desk.client(era) as client:
        plan = (await call(client, "delete_message", message_id=desk.ids(availability="Alive")[:1]))["plan_id"]
    heard = [run(command, "none-such") for command in ("show", "approve", "deny")]
    heard += [run("deny", plan), run("approve", plan), run("deny", plan)]
    assert [words for words in heard if not words.endswith((NOTHING_DONE, UNCHANGED))] == []
