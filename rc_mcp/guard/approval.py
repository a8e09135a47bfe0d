"""How a person says yes: a question through the client where it can ask, a terminal where it cannot.

Whatever is not a clear yes is a no: decline, cancel, an empty or wrong answer.
"""

from typing import Any, Literal

from mcp.server.mcpserver import AcceptedElicitation, Context, Elicit, ElicitationResult
from mcp.types.version import LATEST_MODERN_VERSION, is_version_at_least
from pydantic import BaseModel, ConfigDict, Field, StrictBool
from pydantic.config import JsonDict

from rc_mcp.guard.plans import Plan

Verdict = Literal["yes", "no", "not_asked"]


def _undefaulted(field: JsonDict) -> None:
    del field["default"]


class Answer(BaseModel):
    """What came back from a person, or that nobody was asked."""


class NotAsked(Answer):
    """There was nobody to ask, or nothing to ask about."""


# Both fields are published as required, so that a host that accepts by itself with {} shows that it did not
# ask. They have defaults all the same, so that such an answer reads as a no instead of a protocol fault.
class Confirmation(Answer):
    """A yes or no to something that can be undone."""

    model_config = ConfigDict(json_schema_extra={"required": ["confirm"]})

    confirm: StrictBool = Field(False, title="Yes, do it", json_schema_extra=_undefaulted)


class TypedPhrase(Answer):
    """The phrase that has to be typed for something that cannot be undone."""

    model_config = ConfigDict(json_schema_extra={"required": ["phrase"]})

    phrase: str = Field("", title="Type the phrase", json_schema_extra=_undefaulted)


def can_ask(ctx: Context[Any]) -> bool:
    """Whether this very request can be answered with a question (form elicitation) by its client."""
    elicitation = ctx.client_capabilities.elicitation if ctx.client_capabilities else None
    if elicitation is None or (elicitation.form is None and elicitation.url is not None):
        return False  # `{}` means form; a client that can only open addresses cannot show one
    version = ctx.protocol_version
    return bool(version and is_version_at_least(version, LATEST_MODERN_VERSION)) or ctx.session.can_send_request


def question_about(plan: Plan) -> Elicit[Answer]:
    """The question for a plan: a yes or no, or a phrase to type where it cannot be undone."""
    schema = TypedPhrase if plan.draft.phrase else Confirmation
    return Elicit[Answer](plan.message, schema)


def verdict(answer: ElicitationResult[Answer], plan: Plan) -> Verdict:
    """What an answer means for the plan it was asked about."""
    if not isinstance(answer, AcceptedElicitation):
        return "no"
    if isinstance(answer.data, NotAsked):
        return "not_asked"
    if plan.draft.phrase:
        typed = answer.data.phrase.strip() if isinstance(answer.data, TypedPhrase) else ""
        return "yes" if typed == plan.draft.phrase else "no"
    return "yes" if isinstance(answer.data, Confirmation) and answer.data.confirm else "no"
