"""Reading a policy file in TOML. Each fault names the line and the key, so that an operator can fix it.

Python's TOML reader gives the line of a syntax error, but no lines of keys. So the key's line is searched in the text
afterwards; if it is not found (a table in one line), the fault names only the key.
"""

import difflib
import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from rc_mcp.guard.policy.rules import Policy

_MAX_BYTES = 1_000_000
_HEADER = re.compile(r"\s*\[{1,2}([\w\s.\"'-]+)\]{1,2}\s*(#.*)?")
_KEY = re.compile(r"([\w\s.\"'-]+)=")
_AT = re.compile(r" \(at line (\d+), column \d+\)$")
WANTED = {
    "int_type": "must be a whole number, without quotes",
    "bool_type": "must be true or false, without quotes",
    "list_type": 'must be a list in brackets, such as ["..."]',
    "model_type": "must be a section, such as [limits]",
    "too_short": "is empty; to allow nothing, leave the section out",
    "greater_than_equal": "must be 1 or more",
}


class PolicyError(Exception):
    """A policy file that cannot be used. Its text is one line; `faults` has all faults."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        more = f" ({len(faults) - 1} more: rc-mcp policy check shows them)" if len(faults) > 1 else ""
        super().__init__(faults[0] + more)


def load_policy(path: Path) -> Policy:
    """Return the policy in this file.

    Raises:
        PolicyError: the file cannot be read, or has a fault.
    """
    return parse_policy(policy_text(path), str(path))


def parse_policy(text: str, name: str) -> Policy:
    """Return the policy in this text. `name`: what a fault calls it.

    Raises:
        PolicyError: it has a fault.
    """
    try:
        return Policy.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        at = _AT.search(str(error))
        line = f" line {at[1]}:" if at else ""
        raise PolicyError([f"{name}:{line} not TOML: {_AT.sub('', str(error))}"]) from None
    except RecursionError:
        raise PolicyError([f"{name}: is nested too deeply"]) from None
    except ValidationError as error:
        found = sorted(error.errors(include_url=False), key=lambda fault: _line_of_entry(fault, text) or 0)
        raise PolicyError([f"{name}:{_fault(fault, text)}" for fault in found]) from None
    except ValueError:
        raise PolicyError([f"{name}: contains a number that is too long"]) from None


def policy_text(path: Path) -> str:
    """Return the text of a policy file.

    Raises:
        PolicyError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_MAX_BYTES + 1)
        text = head.decode("utf-8-sig")
    except OSError as error:
        raise PolicyError([f"{path}: cannot be read ({error.strerror})"]) from None
    except UnicodeDecodeError:
        raise PolicyError([f"{path}: is not a text file in UTF-8"]) from None
    if len(head) > _MAX_BYTES:
        raise PolicyError([f"{path}: is larger than {_MAX_BYTES:,} bytes"])
    return text.replace("\r\n", "\n")  # as saved by editors on Windows


def _fault(fault: Any, text: str) -> str:
    place: tuple[int | str, ...] = fault["loc"]
    *above, key = [part for part in place if isinstance(part, str)]
    section = ".".join(above)
    line = _line_of_entry(fault, text)
    where = f" line {line}:" if line else ""
    if fault["type"] == "extra_forbidden":
        return f"{where} {_unknown(section, key)}"
    if fault["type"] == "missing":
        return f"{where} [{section}] needs {key}; leaving it out does not allow any value"
    in_list = [str(part + 1) for part in place if isinstance(part, int)]
    entry = f", entry {in_list[-1]}," if in_list else ""
    return f"{where} {key}{entry}{f' of [{section}]' if section else ''} {_what(fault)}"


def _unknown(section: str, key: str) -> str:
    known = list(_model(section).model_fields)
    shown = key[:60]
    if section and key in Policy.model_fields:
        return f"{shown} is in [{section}]; it belongs above the first section"
    near = difflib.get_close_matches(key.casefold(), known, 1)  # all keys are in small letters
    hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(known)}"
    return f"{f'[{section}]' if section else 'the file'} has no {shown!r}; {hint}"


def _what(fault: Any) -> str:
    kind, given = fault["type"], fault["input"]
    if kind == "value_error":
        return f"{fault['msg'].removeprefix('Value error, ')}, but is {_shown(given)}"
    if kind == "literal_error":
        words = re.findall(r"'(\w+)'", fault["ctx"]["expected"])
        # Without case: to difflib "read" is nearer to "Unread" than to "Read".
        folded = {word.casefold(): word for word in words}
        near = difflib.get_close_matches(given.casefold() if isinstance(given, str) else "", folded, 1, cutoff=0.5)
        hint = f"did you mean {folded[near[0]]}?" if near else f"it takes {', '.join(words)}"
        return f"is {_shown(given)}; {hint}"
    if kind == "less_than_equal":
        return f"is {given}, but can be at most {fault['ctx']['le']}, the most one plan may hold"
    return f"{WANTED.get(kind, fault['msg'])}, but is {_shown(given)}"


def _shown(given: object) -> str:
    if isinstance(given, dict | list):
        return "a section" if isinstance(given, dict) else "a list"
    if isinstance(given, bool):
        return str(given).lower()
    return f"the text {given[:60]!r}" if isinstance(given, str) else str(given)[:60]


def _model(section: str) -> type[BaseModel]:
    model: type[BaseModel] = Policy
    for part in section.split(".") if section else ():
        annotation = model.model_fields[part].annotation
        model = next(kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type))
    return model


def _line_of_entry(fault: Any, text: str) -> int | None:
    """Return the line of an entry in a list over several lines; otherwise of its key, or of a missing key's section."""
    names = ".".join(part for part in fault["loc"] if isinstance(part, str))
    lines, given = dict(_lines(text)), fault["input"]
    line = lines.get(names) or lines.get(names.rpartition(".")[0])
    if line and isinstance(given, str) and isinstance(fault["loc"][-1], int):
        below = enumerate(text.split("\n")[line - 1 :], line)
        return next((n for n, words in below if f'"{given}"' in words or f"'{given}'" in words), line)
    return line


def _lines(text: str) -> Iterator[tuple[str, int]]:
    section = ""
    for number, line in enumerate(text.split("\n"), 1):
        if header := _HEADER.fullmatch(line):
            section = _plain(header[1])
            yield section, number
        elif key := _KEY.match(line):
            yield f"{section}.{_plain(key[1])}".lstrip("."), number


def _plain(name: str) -> str:
    return re.sub(r"[\s\"']", "", name)
