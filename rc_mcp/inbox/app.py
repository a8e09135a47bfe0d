"""The door to the page inside an assistant's app (the extension MCP Apps, `io.modelcontextprotocol/ui`).

A host shows the page beside the answers of `open_inbox` and of the guarded tools, and passes its calls on. The server
cannot see whether a call comes from the page or from the model: that a tool is for the page alone is a request to the
host. So a yes counts only with a secret for this plan, which travels to the page in the `_meta` of an answer. A host
must not show that to its model. It makes one decision count, and none about anything that is final.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from mcp.server.apps import APP_MIME_TYPE, EXTENSION_ID, client_supports_apps
from mcp.server.extension import Extension
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, InputRequiredResult, TextContent, ToolAnnotations
from mcp.types import Tool as MCPTool
from pydantic import Field

from rc_mcp.guard.refusals import NOTHING_DONE
from rc_mcp.guard.state.plans import MAX_UNUSED, Plan
from rc_mcp.inbox.decisions import Answer
from rc_mcp.inbox.desk import Desk, InboxError
from rc_mcp.inbox.operations import FailedError, Operation, carry_out, offered
from rc_mcp.inbox.page import URI
from rc_mcp.inbox.random_secrets import digest_of, new_secret
from rc_mcp.inbox.records import Decided, PlanRecord, Plans
from rc_mcp.session import Ctx

META_KEY = "rc-mcp/approval"
OPEN, PREFIX = "open_inbox", "inbox_"
SHOWN = "The inbox is shown to the user, who can look at messages and decide about plans there."
UNPROVEN = "A button counts only in the window that showed this plan."
_SHOWS_ALL = ("cursor",)
"""Hosts whose model sees the tools that are for the page alone, by a part of their name. A button is no proof there."""


class AppExtension(Extension):
    """Says that this server has a page for apps. `RingCentralServer` lists its tools only to clients that show it."""

    identifier = EXTENSION_ID


class _WithSecret(Answer):
    secret: str = Field("", max_length=100)


@dataclass
class Secrets:
    """Secrets that each make a yes to one plan count, until one did. Only digests are held, for this process."""

    _plans: dict[str, str] = field(default_factory=dict[str, str])
    """The plan's id by the secret's digest."""

    def new(self, plan_id: str) -> str:
        """Return a new secret for a plan. The guard holds how long the plan lives."""
        secret = new_secret()
        while len(self._plans) >= MAX_UNUSED:
            self._plans.pop(next(iter(self._plans)))
        self._plans[digest_of(secret)] = plan_id
        return secret

    def has(self, plan_id: str) -> bool:
        """Return whether a secret of this plan is not used up yet."""
        return plan_id in self._plans.values()

    def fits(self, secret: str, plan_id: str) -> bool:
        """Return whether the secret is for this plan, which is not decided yet."""
        return self._plans.get(digest_of(secret)) == plan_id

    def forget(self, plan_id: str) -> None:
        """Use up the secrets for this plan."""
        self._plans = {digest: plan for digest, plan in self._plans.items() if plan != plan_id}


class PlanSecrets(Protocol):
    """Secrets that each make a yes to one plan count. What the methods do, `Secrets` says."""

    def new(self, plan_id: str) -> str: ...
    def has(self, plan_id: str) -> bool: ...
    def fits(self, secret: str, plan_id: str) -> bool: ...
    def forget(self, plan_id: str) -> None: ...


class AppDoor:
    """The page in the apps of this server's clients.

    Args:
        secrets: those of plans that are shown. Default: held by this process.
    """

    def __init__(self, desk: Desk, secrets: PlanSecrets | None = None) -> None:
        self.desk = desk
        self._secrets = secrets or Secrets()

    def can_decide(self, ctx: Ctx, plan: Plan) -> bool:
        """Return whether this client shows the page, and a button in it can be enough for this plan."""
        return client_supports_apps(ctx) and _hides_from_model(ctx) and self.desk.app.guard.can_decide(plan, "app")

    def tools(self) -> list[MCPTool]:
        """Return the tools that only clients with the page have: one for the model, the others for the page."""
        page = {n: _tool(n, o) for n, o in offered(self.desk).items()}
        return [_OPEN_INBOX, *page.values()]

    async def call(self, name: str, arguments: Mapping[str, object], ctx: Ctx) -> CallToolResult | None:
        """Answer a call of one of these tools; None if it is another tool.

        Raises:
            ToolError: it failed. The text says what was not done.
            FailedError: it ended in a way that nobody foresaw.
        """
        if name == OPEN:
            return CallToolResult(
                content=[TextContent(type="text", text=SHOWN)], structured_content={"status": "shown"}
            )
        operation = name.removeprefix(PREFIX)
        if operation == name or operation not in offered(self.desk):
            return None
        try:
            given = self._with_proof(operation, arguments)
            answer = await carry_out(self.desk, operation, given)
        except FailedError:
            raise
        except InboxError as error:
            raise ToolError(str(error)) from error
        if isinstance(answer, Plans):
            answer = answer.model_copy(update={"plans": [self._as_provable(plan) for plan in answer.plans]})
        if isinstance(answer, Decided) and answer.operation_id:  # else the user may press again, in a minute perhaps
            self._secrets.forget(str(given["plan_id"]))
        result = CallToolResult(content=[], structured_content=answer.model_dump(mode="json"))
        if isinstance(answer, PlanRecord) and answer.decidable and _hides_from_model(ctx):
            return self._with_secret(result, answer.id)
        return result

    def with_secret(self, result: CallToolResult | InputRequiredResult) -> CallToolResult | InputRequiredResult:
        """Return a guarded tool's answer with the secret for its plan, if the user decides about it in the page."""
        if isinstance(result, InputRequiredResult):
            return result
        said: Mapping[str, object] = result.structured_content or {}
        plan_id = said.get("plan_id")
        waits = said.get("approve_in") == "app"
        return self._with_secret(result, plan_id) if waits and isinstance(plan_id, str) else result

    @property
    def _unproven(self) -> str:
        return f"{UNPROVEN} {self.desk.elsewhere('Use rc-mcp inbox, or a terminal.')}"

    def _with_secret(self, result: CallToolResult, plan_id: str) -> CallToolResult:
        proof = {"plan_id": plan_id, "secret": self._secrets.new(plan_id)}
        return result.model_copy(update={"meta": {**(result.meta or {}), META_KEY: proof}})

    def _as_provable(self, plan: PlanRecord) -> PlanRecord:
        """Return a plan as the page shows it: without its secret, no button can be enough."""
        if not plan.decidable or self._secrets.has(plan.id):
            return plan
        return plan.model_copy(update={"decidable": False, "why_not": self._unproven})

    def _with_proof(self, operation: str, arguments: Mapping[str, object]) -> Mapping[str, object]:
        """Return the arguments without the secret, after it was checked.

        Raises:
            InboxError: it is a yes, without the secret of its plan.
        """
        if operation != "decide":
            return arguments
        secret, plan_id = arguments.get("secret", ""), arguments.get("plan_id")
        is_proven = isinstance(secret, str) and isinstance(plan_id, str) and self._secrets.fits(secret, plan_id)
        if arguments.get("approve") is not False and not is_proven:
            raise InboxError(f"{self._unproven} {NOTHING_DONE}")
        return {name: value for name, value in arguments.items() if name != "secret"}


def page_resource(page: str) -> ReadResourceContents:
    """Return the page as a resource."""
    return ReadResourceContents(content=page, mime_type=APP_MIME_TYPE, meta={"ui": {"prefersBorder": False}})


def with_page(tool: MCPTool) -> MCPTool:
    """Return a guarded tool as a client with the page sees it: the page is shown beside its answers."""
    if not (tool.annotations and tool.annotations.destructive_hint):
        return tool
    return tool.model_copy(update={"meta": {**(tool.meta or {}), "ui": {"resourceUri": URI}}})


def _tool(name: str, operation: Operation) -> MCPTool:
    takes = _WithSecret if operation.takes is Answer else operation.takes
    schema = {name: part for name, part in takes.model_json_schema().items() if name not in {"title", "description"}}
    return MCPTool(
        name=f"{PREFIX}{name}",
        title=f"Inbox page: {name.replace('_', ' ')}",
        description="For the inbox page alone, which the user operates.",
        input_schema=schema,
        annotations=ToolAnnotations(
            read_only_hint=operation.level == "read" and name != "stop",
            destructive_hint=operation.deletes,
            open_world_hint=True,
        ),
        _meta={"ui": {"resourceUri": URI, "visibility": ["app"]}},
    )


_OPEN_INBOX = MCPTool(
    name=OPEN,
    title="Show the inbox",
    description="Show the user their inbox in a window: messages, voicemails to play, faxes to page through, plans "
    "that wait for their yes. Use it when they want to look or listen themselves.",
    input_schema={"type": "object", "properties": {}},
    annotations=ToolAnnotations(read_only_hint=True, destructive_hint=False, open_world_hint=True),
    _meta={"ui": {"resourceUri": URI}},
)


def _hides_from_model(ctx: Ctx) -> bool:
    """Return whether this host is not known to show its model what is for the page alone."""
    params: Any = ctx.request_context.session.client_params
    name = params.client_info.name.lower() if params else ""
    return bool(name) and not any(part in name for part in _SHOWS_ALL)
