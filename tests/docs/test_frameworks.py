"""The pages about agent frameworks name what `make frameworks` runs. The runs themselves need other environments."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.frameworks.calls import Invented, base64_in, filled, plan_in, settled
from bench.frameworks.environments import LOCKS
from bench.frameworks.page import PAGE
from bench.frameworks.snippets import ACCESS, ADDRESS, TOOLS, YES, snippets
from bench.frameworks.snippets import LOCKS as PINS
from bench.frameworks.snippets import PAGE as HOW_TO
from bench.frameworks.table import FRAMEWORKS
from tests.cli.test_http import TOKEN, http_server
from tests.conftest import MIRROR

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


def test_each_snippet_starts_a_server_that_cannot_purge() -> None:
    started = [one for one in snippets() if not one.over_http]
    levels = {one.heading: re.findall(r"""--access["'], ["'](\w+)""", one.code) for one in started}
    assert levels == {name: [ACCESS[1]] for name in PINS}


@pytest.mark.parametrize("token", ["", TOKEN], ids=["without a token", "with a token"])
def test_the_snippet_for_the_sdk_deletes_with_a_plan_and_with_a_question(
    token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RC_MCP_STATE_DIR", str(tmp_path))
    monkeypatch.delenv(MIRROR)
    [by_itself, over_http] = [one.code for one in snippets() if one.heading == "MCP SDK for Python"]
    with http_server(*ACCESS, token=token) as served:
        code = over_http.replace(ADDRESS, served.address) if token else by_itself
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PATH": path, "RC_MCP_HTTP_TOKEN": token},
            input=YES,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{TOOLS} tools\n")
    assert len(re.findall(r"\[y/N\] done$", done.stdout, re.MULTILINE)) == 2


@pytest.mark.parametrize("token", ["", TOKEN], ids=["without a token", "with a token"])
@pytest.mark.parametrize("heading", ["LangChain", "AI SDK"])
def test_the_lines_for_http_hold_with_and_without_a_token(
    heading: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [code] = [one.code for one in snippets() if one.over_http and one.heading == heading]
    monkeypatch.delenv("RC_MCP_HTTP_TOKEN", raising=False)
    if token:
        monkeypatch.setenv("RC_MCP_HTTP_TOKEN", token)
    lines = re.findall(r"^(?:import os|(?:const )?(?:url|token|headers) = .*)$", code, re.MULTILINE)
    if heading == "AI SDK":
        if not shutil.which("node"):
            pytest.skip("node is not on this machine")
        program = "\n".join([*lines, "console.log(JSON.stringify(headers))"])
        ran = subprocess.run(["node", "-e", program], capture_output=True, text=True, timeout=60, check=True)  # noqa: S607
        headers = json.loads(ran.stdout)
    else:
        names: dict[str, Any] = {}
        exec("\n".join(lines), names)  # noqa: S102
        headers = names["headers"]
    assert headers == ({"Authorization": f"Bearer {token}"} if token else {})


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
