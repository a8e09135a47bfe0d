"""docs/reference/frameworks.md: what each framework gives to its model."""

from pathlib import Path

from bench.frameworks.observing import MOST_BASE64, Given, Observed
from release.project import VERSION
from tests.docs.test_readme import table

PAGE = Path(__file__).parents[2] / "docs/reference/frameworks.md"
_MOST_SHOWN = 120
DOUBLED = 1.6
"""Text this many times as long as the server's has its answer twice: as text and as structured content."""


def page(seen: list[Observed], sdk: Observed, when: str) -> str:
    """Return the page. `sdk` is the MCP SDK's run: what the server sends."""
    gets = ("framework", "version", "mcp", "a list", "a voicemail", "a page of a fax", "an original", "a wrong id")
    works = ("framework", "tools", "strict", "optionals left out", "optionals empty", "delete", "question", "cancel")
    return _PAGE.format(
        when=when,
        version=VERSION,
        mcp=sdk.framework.version,
        base64=MOST_BASE64,
        count=len(seen),
        gets=table(gets, [_gets(one, sdk) for one in [sdk, *seen]]).rstrip(),
        works=table(works, [_works(one) for one in seen]).rstrip(),
        wrong=_wrong(seen),
    )


def _gets(seen: Observed, sdk: Observed) -> tuple[str, ...]:
    shown = (_shown(seen.reads.get(name), sdk.reads[name]) for name in ("list", "voicemail", "page", "original"))
    error = "-" if "error" not in seen.reads else "not said" if "error" in seen.wrong else "said"
    of = seen.framework
    return (f"`{of.name}`", of.version, of.mcp or "its own", *shown, error)


def _shown(one: Given | None, sent: Given) -> str:
    """Return a cell: the characters of text, and what became of what is not text."""
    if one is None:
        return "-"
    if one.raised:
        return "an error"
    said = [f"{len(one.text) - one.base64:,}"]
    if one.base64:
        said.append(f"**{one.base64:,} of base64**")
    elif len(one.text) > len(sent.text) * DOUBLED:
        said[0] += ", both copies"
    said += [f"{'an' if kind == 'audio' else 'a'} {kind}".replace("an audio", "audio") for kind in one.others]
    if sent.others and not one.others and not one.base64:
        said.append(f"{'the ' + next(iter(sent.others))} dropped")
    return " + ".join(said)


def _works(seen: Observed) -> tuple[str, ...]:
    of, wrong = seen.framework, seen.wrong
    total = len(seen.plain)

    def holds(check: str) -> str:
        return "no" if check in wrong else "yes"

    def counted(check: str, calls: int) -> str:
        return f"{calls - len(wrong.get(check, []))} of {calls}"

    return (
        f"`{of.name}`",
        f"{seen.tools}",
        "" if seen.strict_tools is None else f"{seen.strict_tools}",
        counted("plain", total),
        counted("empty", len(seen.strict)),
        "not strict" if "strict delete" in wrong and "delete" not in wrong else holds("delete"),
        holds("question") if of.asks else "cannot ask",
        holds("cancel") if of.cancels else "no way",
    )


def _wrong(seen: list[Observed]) -> str:
    """Return a line for each thing that does not hold, with the reason where it is known."""
    lines = [
        f"- `{one.framework.name}`: {one.framework.known.get(check) or f'{check}: {_brief(what)}'}"
        for one in seen
        for check, what in one.wrong.items()
    ]
    return "\n".join(dict.fromkeys(lines)) or "Nothing."


def _brief(what: list[str]) -> str:
    return "; ".join(one if len(one) <= _MOST_SHOWN else f"{one[:_MOST_SHOWN]}…" for one in what)


_PAGE = """\
# Agent frameworks

<!-- made by `make frameworks` -->
What {count} frameworks and client libraries make of rc-mcp {version}, on {when}, each in an environment of its own. No
model took part: a small program calls the framework's tools as its agent does, and keeps what the agent would give to
its model. [Use it from a framework](../how-to/use-from-a-framework.md) has the code for yours.

## What a model gets
Figures are characters of text. The first row, `mcp`, is none of the {count}: it is the MCP SDK's own client, and shows
what the server sends as the text of an answer. Most answers have the same as structured content beside it; *both
copies* means that the model gets the two, and `RC_MCP_STRUCTURED=off` ends that. A picture, audio or a file reaches
the model as such. *Base64* reaches it as text, which no model can read.

{gets}

- *a page of a fax*: `read_message_content` with `form="pages"`. A fax that is only an image is answered like this if
  the extra `ocr` is not installed.
- *an original*: the same tool with `form="original"`.
- *a wrong id*: whether the model, or the agent as an error, gets the server's sentence.

## What works
- *optionals left out*: how many of the ten tools answer with all that the server says.
- *optionals empty*: how many answer the same if each optional argument is there but empty, as a strict schema makes a
  model fill it: null where the schema allows it, otherwise `""` or `[]`, or the default.
- *strict*: how many tools have a schema in the framework's strict mode, if it has one.
- *delete*: a message is deleted with a plan, and not before; also when the plan is empty in the first call.
- *question*: the framework has a callback for the server's question. A no leaves the message, a yes deletes it.
- *cancel*: a cancelled call ends, and the next call is answered.

{works}

## What does not hold
It should: ten tools that can be called, also strict; no argument that a model has to invent; the sentence of an error;
and at most {base64:,} characters of base64 as text.

{wrong}
"""
