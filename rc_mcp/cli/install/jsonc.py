"""Changes one place in a JSON file and keeps every other byte: comments, numbers, order, indentation.

Own code: libraries that read JSON with comments rewrite the whole file. The caller parses the result and compares it,
so that a fault here leads to a refusal and not to a damaged file.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

Json = Any
TOO_DEEP = "it is nested too deeply"

_TOKEN = re.compile(
    r'(?P<string>"(?:[^"\\]|\\.)*")|(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<space>\s+)|(?P<mark>[{}\[\]:,])'
    r'|(?P<word>[^\s{}\[\]:,"/]+)',
    re.DOTALL,
)


class NotUnderstoodError(ValueError):
    """The host could not read this file, or it has something other than servers under their key."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class _Value:
    """The position of a value in the text. Members of an object are keyed by name, members of a list by index."""

    start: int
    end: int
    members: dict[str, "_Value"]
    comma_at_end: bool = False


def parse(text: str, *, comments: bool) -> Json:
    """Parse the text. With `comments`, accept comments and a trailing comma.

    Raises:
        NotUnderstoodError: it is not valid, or repeats a name, of which a host would only use one.
    """
    try:
        return json.loads(_plain(text) if comments else text, object_pairs_hook=_each_once)
    except RecursionError:
        raise NotUnderstoodError(TOO_DEEP) from None
    except ValueError as error:
        raise NotUnderstoodError(f"it is not valid JSON: {error}") from None


def put(text: str, path: tuple[str, ...], value: Json) -> str:
    """Return the text with `value` at this path; missing objects on the path are created."""
    place = _read(text)
    for depth, name in enumerate(path):
        if name not in place.members:
            missing = value
            for inner in reversed(path[depth + 1 :]):
                missing = {inner: missing}
            return _insert(text, place, f"{json.dumps(name)}: ", missing)
        place = place.members[name]
    return text[: place.start] + _render(value, text, _indent(text, place.start)) + text[place.end :]


def append(text: str, path: tuple[str, ...], value: Json) -> str:
    """Return the text with `value` appended to the list at this path; a missing list is created."""
    place = _read(text)
    for name in path:
        if name not in place.members:
            return put(text, path, [value])
        place = place.members[name]
    return _insert(text, place, "", value)


def _insert(text: str, into: _Value, key: str, value: Json) -> str:
    outer = _indent(text, into.start)
    inner = outer + _unit(text)
    member = f"{_newline(text)}{inner}{key}{_render(value, text, inner)}"
    closing = into.end - 1
    if not into.members:
        rest = text[into.start + 1 : closing].rstrip()
        return text[: into.start + 1] + rest + member + _newline(text) + outer + text[closing:]
    last = list(into.members.values())[-1].end
    rest = text[last:closing].rstrip()  # may contain comments, which stay next to their member
    comma = "" if into.comma_at_end else ","
    return text[:last] + comma + rest + member + _newline(text) + outer + text[closing:]


def _render(value: Json, text: str, indent: str) -> str:
    lines = json.dumps(value, indent=_unit(text), ensure_ascii=False).split("\n")
    return (_newline(text) + indent).join(lines)


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _unit(text: str) -> str:
    found = re.search(r'^([ \t]+)"', text, re.MULTILINE)
    return found[1] if found else "  "


def _indent(text: str, position: int) -> str:
    line = text[text.rfind("\n", 0, position) + 1 :]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _plain(text: str) -> str:
    """Return the text with comments and trailing commas blanked; positions stay the same."""
    kept: list[str] = []
    previous, comma = "", -1
    for token in _tokens(text):
        if token.kind in {"comment", "space"}:
            kept.append(re.sub(r"[^\n]", " ", token.text))
            continue
        if token.text in {"}", "]"} and comma >= 0:
            kept[comma] = " "
        comma = len(kept) if token.text == "," and previous not in {"", "{", "[", ",", ":"} else -1
        previous = token.text
        kept.append(token.text)
    return "".join(kept)


def _each_once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"it has {next(n for n in names if names.count(n) > 1)!r} twice")
    return found


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise NotUnderstoodError(f"it is not valid JSON at character {position}")
        found.append(_Token(match.lastgroup, match.start(), match.end(), match[0]))
        position = match.end()
    return found


def _read(text: str) -> _Value:
    """Return the whole text as one value."""
    tokens = [token for token in _tokens(text) if token.kind not in {"comment", "space"}]
    return _value(tokens, 0)[0]


def _value(tokens: list[_Token], at: int) -> tuple[_Value, int]:
    """Return the value that begins at this token, and the index of the next token. The text must be valid."""
    first = tokens[at]
    if first.text not in {"{", "["}:
        return _Value(first.start, first.end, {}), at + 1
    members: dict[str, _Value] = {}
    at += 1
    while tokens[at].text not in {"}", "]"}:
        if tokens[at].text == ",":
            at += 1
            continue
        name = str(len(members))
        if first.text == "{":
            name, at = json.loads(tokens[at].text), at + 2  # the name and its colon
        members[name], at = _value(tokens, at)
    return _Value(first.start, tokens[at].end, members, tokens[at - 1].text == ","), at + 1
