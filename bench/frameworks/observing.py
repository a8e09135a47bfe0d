"""What one framework does with the server, and what of the wanted does not hold."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.frameworks.calls import Arguments, Calls, Invented, base64_in, filled, letters, plan_in, settled
from bench.frameworks.running import Client, Mailbox, client, mailbox
from bench.frameworks.table import Framework

MOST_BASE64 = 5_000
"""Characters of base64 that a default call may put into a model's text."""
DEFAULT_CALLS = ("list", "fax", "page", "voicemail", "original")
"""Without the extra `ocr`, a fax that is only an image is answered with a page by default too."""
ANSWER_S = 3.0
PATIENCE_S = 1.0
"""A call is cancelled this long after it began, when its answer takes `ANSWER_S`."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a framework gives to its model for one call."""

    text: str
    others: dict[str, int]
    """Pictures, audio and files: the characters of each."""
    raised: str = ""
    """The error, if it raises one instead."""
    asked: int = 0
    cancelled: bool = False

    @property
    def base64(self) -> int:
        """Characters of base64 in the text."""
        return base64_in(self.text)


@dataclass(slots=True)
class Observed:
    """A framework's run."""

    framework: Framework
    reads: dict[str, Given] = field(default_factory=dict[str, Given])
    plain: dict[str, Given] = field(default_factory=dict[str, Given])
    """Each tool, with the optional arguments left out."""
    strict: dict[str, Given | str] = field(default_factory=dict[str, "Given | str"])
    """Each tool, with the optional arguments empty; or the arguments that a model would have to invent."""
    tools: int = 0
    strict_tools: int | None = None
    wrong: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """What does not hold: the check, and what was seen."""


def observe(framework: Framework, sent: Calls, sdk: Observed | None, published: dict[str, Any]) -> Observed:
    """Run a framework's program on three mailboxes: plain, strict, and with a user who answers."""
    seen = Observed(framework)
    log = Path(tempfile.gettempdir()) / f"rc-mcp-frameworks-{framework.program}.log"
    log.write_text("", encoding="utf-8")
    for part in (_plain, _strict, _asking) if framework.asks else (_plain, _strict):
        try:
            part(seen, sent, published, log)
        except RuntimeError as error:
            seen.wrong[f"run, {part.__name__[1:]}"] = [f"{error}; its stderr is in {log}"]
    _judge(seen, sdk or seen, len(published))
    return seen


def _plain(seen: Observed, sent: Calls, published: dict[str, Any], log: Path) -> None:
    with mailbox() as at, client(seen.framework, at, log) as running:
        published = published or running.tools
        failed = {name: schema["failed"] for name, schema in running.tools.items() if "failed" in schema}
        seen.tools = len(running.tools) - len(failed)
        if failed:
            seen.wrong["tools"] = [f"{name}: {why}" for name, why in failed.items()]
        seen.reads = {name: given(running.call(tool, arguments)) for name, (tool, arguments) in sent.reads.items()}
        seen.plain = {tool: given(running.call(tool, arguments)) for tool, arguments in sent.every_tool.items()}
        _delete_by_plan(seen, "delete", at, sent.deletable[0], lambda more: given(running.call("delete_message", more)))
        if seen.framework.cancels:
            _cancel(seen, at, running, sent)


def _strict(seen: Observed, sent: Calls, published: dict[str, Any], log: Path) -> None:
    with mailbox() as at, client(seen.framework, at, log) as running:
        schemas = running.tools if running.strict is None else running.strict
        usable = {name: schema for name, schema in schemas.items() if "failed" not in schema}
        seen.strict_tools = None if running.strict is None else len(usable)

        def call(tool: str, arguments: Arguments) -> Given | str:
            if tool not in usable:
                return "no schema"
            try:
                given_ = filled(usable[tool], published.get(tool) or usable[tool], arguments)
            except Invented as missing:
                return f"invents {missing}"
            return given(running.call(tool, given_, strict=running.strict is not None))

        seen.strict = {tool: call(tool, arguments) for tool, arguments in sent.every_tool.items()}
        if isinstance(seen.strict["delete_message"], Given):
            _delete_by_plan(seen, "strict delete", at, sent.deletable[0], lambda more: call("delete_message", more))


def _asking(seen: Observed, sent: Calls, published: dict[str, Any], log: Path) -> None:
    with mailbox() as at, client(seen.framework, at, log, asks=True) as running:
        _, declined, accepted = sent.deletable
        asked = {
            reply: given(running.call("delete_message", {"message_id": [message]}, reply=reply)).asked
            for reply, message in (("decline", declined), ("accept", accepted))
        }
        now = [at.availability(message) for message in (declined, accepted)]
        if asked != {"decline": 1, "accept": 1} or now != ["Alive", "Deleted"]:
            seen.wrong["question"] = [f"questions {asked}; after no and yes the messages are {now}"]


def _delete_by_plan(
    seen: Observed, check: str, at: Mailbox, message: str, delete: Callable[[Arguments], Given | str]
) -> None:
    arguments: Arguments = {"message_id": [message]}
    first = delete(arguments)
    before = at.availability(message)
    if isinstance(first, str) or not (plan := plan_in(first.text)) or before != "Alive":
        seen.wrong[check] = [f"no plan, and the message is {before}: {_shown(first)}"]
        return
    second = delete(arguments | {"plan_id": plan})
    if (after := at.availability(message)) != "Deleted":
        seen.wrong[check] = [f"with the plan, the message is {after}: {_shown(second)}"]


def _cancel(seen: Observed, at: Mailbox, running: Client, sent: Calls) -> None:
    tool, arguments = sent.reads["list"]
    at.delay(ANSWER_S)
    first = given(running.call(tool, arguments, patience_s=PATIENCE_S))
    second = given(running.call(tool, arguments))
    if not first.cancelled or not second.text:
        seen.wrong["cancel"] = [f"cancelled: {first.cancelled}; the next call: {_shown(second)}"]


def _judge(seen: Observed, sdk: Observed, tools: int) -> None:
    """Add what does not hold to `seen.wrong`. `tools`: how many the server has."""
    if seen.tools != tools:
        seen.wrong.setdefault("tools", [f"{seen.tools} of {tools}"])
    if seen.strict_tools not in {None, tools}:
        seen.wrong["strict"] = [f"{seen.strict_tools} of {tools} tools"]
    plain = {tool: one for tool, one in seen.plain.items() if not answers(one, sdk.plain[tool])}
    if plain:
        seen.wrong["plain"] = _named(plain)
    empty = {tool: one for tool, one in seen.strict.items() if tool in plain or not same(one, seen.plain.get(tool))}
    if empty:
        seen.wrong["empty"] = _named(empty)
    for name, one in seen.reads.items():
        if name in DEFAULT_CALLS and one.base64 > MOST_BASE64:
            seen.wrong[f"base64 of {name}"] = [f"{one.base64:,} characters in the text"]
    if "error" in seen.reads and not says(seen.reads["error"], sdk.reads["error"]):
        seen.wrong["error"] = [_shown(seen.reads["error"])]


def given(seen: dict[str, Any]) -> Given:
    """Read the answer of a program."""
    parts: list[dict[str, Any]] = seen.get("parts", [])
    others = {kind: size for part in parts for kind, size in part.items() if kind != "text"}
    text = "\n".join(part["text"] for part in parts if "text" in part)
    return Given(text, others, seen.get("raised", ""), seen["asked"], seen.get("cancelled", False))


def answers(one: Given, sent: Given) -> bool:
    """Return whether the text has all that the server said, however it is quoted."""
    return settled(sent.text) in settled(one.text)


def says(one: Given, sent: Given) -> bool:
    """Return whether the sentence of an error arrives, as text or in what is raised for the agent to show."""
    sentence = letters(sent.text.split("(")[0])
    return sentence in letters(one.text + one.raised)


def same(one: "Given | str", plain: Given | None) -> bool:
    return isinstance(one, Given) and plain is not None and bool(one.text) and settled(one.text) == settled(plain.text)


def _named(failed: dict[str, "Given | str"] | dict[str, Given]) -> list[str]:
    return [f"{tool}: {_shown(one)}" for tool, one in failed.items()]


def _shown(one: "Given | str") -> str:
    return one if isinstance(one, str) else (one.raised or one.text or "nothing")[:160]
