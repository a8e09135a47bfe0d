"""The pages about agent frameworks name what `make frameworks` runs. The runs themselves need other environments."""

import re

import pytest

from bench.frameworks.calls import Invented, base64_in, filled, plan_in, settled
from bench.frameworks.environments import LOCKS
from bench.frameworks.page import PAGE
from bench.frameworks.snippets import ADDRESS, snippets
from bench.frameworks.snippets import LOCKS as PINS
from bench.frameworks.snippets import PAGE as HOW_TO
from bench.frameworks.table import FRAMEWORKS

RENEW = "renew it with: make frameworks"


def test_the_page_has_every_framework_in_its_pinned_version() -> None:
    rows = re.findall(r"^\| `(.+?)` \| (\d+\.\S*) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert rows[1:] == [(framework.name, framework.version) for framework in FRAMEWORKS], RENEW


@pytest.mark.parametrize("name", ["docs/reference/frameworks.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile"])
def test_each_page_counts_as_many_frameworks_as_there_are(name: str) -> None:
    text = (LOCKS.parents[2] / name).read_text("utf-8")
    assert set(re.findall(r"(\d+)(?: agent)? frameworks", text)) == {str(len(FRAMEWORKS))}


def test_the_row_that_is_no_framework_is_named() -> None:
    [first, *others] = re.findall(r"^\| `(.+?)` \| \d+\.\S* \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert f"`{first}`, is none of the {len(others)}:" in " ".join(PAGE.read_text("utf-8").split()), RENEW


def test_every_framework_has_a_program_and_pins() -> None:
    programs = {file.name for file in (LOCKS.parent / "programs").iterdir()}
    assert {framework.program for framework in FRAMEWORKS} <= programs
    assert [framework.name for framework in FRAMEWORKS if not framework.version] == []


def test_every_snippet_of_the_page_is_run() -> None:
    headings = re.findall(r"^## (.+)$", HOW_TO.read_text("utf-8"), re.MULTILINE)
    assert [one.heading for one in snippets() if not one.over_http] == [name for name in headings if name in PINS]
    assert [one.heading for one in snippets() if one.over_http] == list(PINS)
    assert all((LOCKS / pins).is_dir() or (LOCKS / f"{pins}.txt").exists() for pins in PINS.values())


def test_each_snippet_also_connects_to_a_running_server_with_a_token() -> None:
    for one in snippets():
        assert (ADDRESS in one.code and "RC_MCP_HTTP_TOKEN" in one.code) == one.over_http, one.heading
        if PINS[one.heading] != "ai-sdk":
            compile(one.code, one.heading, "exec")


def test_no_pins_name_where_packages_come_from() -> None:
    files = [file for file in LOCKS.rglob("*") if file.is_file()]
    assert [file.name for file in files if re.search(r'--index|"resolved"', file.read_text("utf-8"))] == []


PUBLISHED = {"properties": {"id": {"type": "string"}, "rows": {"type": "integer", "default": 5}, "limit": {}}}


def test_a_strict_call_is_empty_wherever_the_schema_allows_it() -> None:
    strict = {
        "properties": {
            "id": {"type": "string"},
            "text": {"type": "string"},
            "null": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "list": {"type": "array"},
            "rows": {"type": "integer"},
            "capital": {"type": "INTEGER", "nullable": True},
            "anything": {"description": "No type is said."},
        }
    }
    made = filled(strict, PUBLISHED, {"id": "1"})
    assert made == {"id": "1", "text": "", "null": None, "list": [], "rows": 5, "capital": None, "anything": None}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer"},
        {"type": "string", "enum": ["Read"]},
        {"const": "Alive"},
        {"type": "string", "anyOf": [{"type": "string", "enum": ["Read"]}, {"type": "null"}]},
    ],
)
def test_an_argument_that_cannot_be_empty_is_invented(schema: dict[str, object]) -> None:
    with pytest.raises(Invented, match="limit"):
        filled({"properties": {"limit": schema}}, PUBLISHED, {})


def test_two_answers_are_the_same_however_they_are_quoted_and_whenever_they_came() -> None:
    first = '{"said":"Done.","plan_id":"ab12-cd34","at":"2026-03-05T09:30:00Z","untrusted":"a\\nb"}'
    second = first.replace("ab12-cd34", "xy98-zw76").replace("09:30:00", "10:31:02")
    assert settled(first) == settled(repr(second))
    assert settled(first) != settled(first.replace("Done", "Refused"))
    assert plan_in(repr(first)) == "ab12-cd34"


def test_only_long_runs_of_base64_count() -> None:
    assert base64_in('{"id":"2406340726008"}') == 0
    assert base64_in(f'{{"data":"{"QUJD" * 100}="}}') == 401
