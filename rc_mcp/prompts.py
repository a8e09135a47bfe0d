"""Loads `prompts/*.md`: one MCP prompt per file, with front matter and `{{argument}}` placeholders.

Lines between `{{#tool}}` and `{{/tool}}` are shown only if the server offers that tool, lines between `{{^tool}}` and
`{{/tool}}` only if it does not. These are the sections of Mustache, for names of tools and without lists.
"""

import logging
import re
from collections.abc import Collection, Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from mcp.server.mcpserver.prompts.base import Prompt, PromptArgument, UserMessage
from pydantic import BaseModel, ConfigDict, Field

_log = logging.getLogger(__name__)
_PLACE = re.compile(r"\{\{(\w+)\}\}")
_SECTION = re.compile(r"^[ \t]*\{\{[#^/]\w+\}\}[ \t]*\n|\{\{[#^/]\w+\}\}", re.MULTILINE)
"""A line that has only the mark of a section goes with it, as in Mustache."""


class Argument(BaseModel):
    """One argument of a prompt; it is required unless it has a default."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(pattern="^[a-z][a-z_]*$")
    description: str = Field(min_length=1)
    default: str | None = None
    suggestions: list[str] = []
    """Completions for hosts to offer. Other values are also valid."""


class FrontMatter(BaseModel):
    """The front matter of a prompt file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    title: str = Field(min_length=1, max_length=80)
    description: str = Field(min_length=1, max_length=400)
    arguments: list[Argument] = []


class PromptFileError(ValueError):
    """A prompt file that cannot be used; the text names the file."""


def load_prompts(absent_tools: Collection[str] = ()) -> Iterator[Prompt]:
    """Yield every valid prompt as it is without these tools, except those that still name one of them.

    A broken file is logged and left out: it must not stop the server from starting.
    """
    for file in prompt_files():
        try:
            text = without_tools(file.name, file.read_text("utf-8"), absent_tools)
            if not any(re.search(rf"\b{tool}\b", text) for tool in absent_tools):
                yield parse_prompt(file.name, text)
        except PromptFileError:
            _log.exception("a prompt was left out")


def complete(prompt: str, argument: str, value: str) -> list[str]:
    """Return the suggestions for a prompt's argument that begin with `value`."""
    file = next((f for f in prompt_files() if f.name == f"{prompt}.md"), None)
    if file is None:
        return []
    try:
        head, _ = _parts(file.name, file.read_text("utf-8"))
    except PromptFileError:
        return []
    suggestions = {a.name: a.suggestions for a in head.arguments}
    return [s for s in suggestions.get(argument, []) if s.lower().startswith(value.lower())]


def prompt_files() -> list[Traversable]:
    """Return the prompt files, sorted by name, from the wheel or from the checkout."""
    packed = files("rc_mcp") / "_prompts"
    folder = packed if packed.is_dir() else Path(__file__).parent.parent / "prompts"
    return sorted((f for f in folder.iterdir() if f.name.endswith(".md")), key=lambda f: f.name)


def without_tools(file_name: str, text: str, absent_tools: Collection[str]) -> str:
    """Return the text of a prompt file without the marks of sections, and with only the sections that apply.

    Raises:
        PromptFileError: a section is not closed, or not in the order in which sections were opened.
    """
    shown: list[str] = []
    opened: list[tuple[str, bool]] = []
    end = 0
    for mark in _SECTION.finditer(text):
        if all(applies for _, applies in opened):
            shown.append(text[end : mark.start()])
        end = mark.end()
        kind, tool = mark[0].strip()[2], mark[0].strip()[3:-2]
        if kind != "/":
            opened.append((tool, (kind == "^") == (tool in absent_tools)))
        elif not opened or opened.pop()[0] != tool:
            raise PromptFileError(f"{file_name}: {mark[0].strip()} does not close the section before it")
    if opened:
        raise PromptFileError(f"{file_name}: the section of {opened[-1][0]} is not closed")
    return "".join([*shown, text[end:]])


def parse_prompt(file_name: str, text: str) -> Prompt:
    """Return the prompt of one file, named after the file. `without_tools` has taken the sections out of its text.

    Raises:
        PromptFileError: the front matter is wrong, or text and arguments do not match.
    """
    head, body = _parts(file_name, text)
    used, declared = sorted(set(_PLACE.findall(body))), sorted(a.name for a in head.arguments)
    if used != declared or "{{" in _PLACE.sub("", body) or not body.strip():
        raise PromptFileError(f"{file_name}: its text uses {used}, its front matter has {declared}")
    defaults = {a.name: a.default for a in head.arguments}

    async def render(**given: str) -> UserMessage:
        return UserMessage(_PLACE.sub(lambda place: given.get(place[1]) or defaults[place[1]] or "", body.strip()))

    return Prompt(
        name=file_name.removesuffix(".md"),
        title=head.title,
        description=head.description,
        arguments=[
            PromptArgument(name=a.name, description=a.description, required=a.default is None) for a in head.arguments
        ],
        fn=render,
        context_kwarg=None,
    )


def _parts(file_name: str, text: str) -> tuple[FrontMatter, str]:
    import frontmatter  # late: few hosts ask for prompts, and each starts a server
    from yaml import YAMLError

    try:
        metadata, body = frontmatter.parse(text)
        return FrontMatter.model_validate(metadata), body
    except (YAMLError, ValueError, TypeError) as error:  # pydantic's is a ValueError
        raise PromptFileError(f"{file_name}: {error}") from error
