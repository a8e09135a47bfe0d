"""Published files are complete and agree with the project."""

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

import jsonschema
import pytest
import yaml

from rc_mcp.prompts import load_prompts, prompt_files
from rc_mcp.settings import Settings
from rc_mcp.tools import tools_for
from release import bundle, container, package, plugin, registry
from release.project import PROJECT, REGISTRY_NAME, ROOT, VERSION, text_of

RENEW = "renew it with: make release-files"
SECRETS = {"RC_APP_CLIENT_SECRET", "RC_USER_JWT"}
VARIABLES = {field.alias for field in Settings.model_fields.values()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return package.build(ROOT, tmp_path_factory.mktemp("dist"))[0]


def test_the_wheel_has_the_whole_package_and_nothing_else(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    tracked = {f"rc_mcp/{f.relative_to(ROOT / 'rc_mcp').as_posix()}" for f in (ROOT / "rc_mcp").rglob("*")}
    code = {path for path in tracked if (ROOT / path).is_file() and "__pycache__" not in path}
    prompts = {f"rc_mcp/_prompts/{file.name}" for file in prompt_files()}
    assert inside - code - prompts == {path for path in inside if ".dist-info/" in path}
    assert code | prompts <= inside


def test_the_demo_passes_from_only_the_wheel_in_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    (tmp_path / "empty").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "PYTHONUTF8": "1"}
    where = "import rc_mcp, sys; assert rc_mcp.__file__.startswith(sys.argv.pop(1)), rc_mcp.__file__; "
    demo = subprocess.run(
        [sys.executable, "-c", where + "from rc_mcp.cli import main; main()", str(tmp_path / "site"), "demo"],
        cwd=tmp_path / "empty",
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=240,
        check=False,
    )
    assert demo.returncode == 0, demo.stderr
    assert "✓" in demo.stdout
    assert "✗" not in demo.stdout
    assert list((tmp_path / "empty").iterdir()) == []


# The registry's rules for this entry, from the schema of 2025-12-11 and its guide to PyPI packages.
SERVER = {
    "type": "object",
    "required": ["$schema", "name", "description", "version", "packages"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"const": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"},
        "name": {"pattern": r"^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$", "minLength": 3, "maxLength": 200},
        "title": {"type": "string", "minLength": 1, "maxLength": 100},
        "description": {"type": "string", "minLength": 1, "maxLength": 100},
        "version": {"type": "string", "maxLength": 255},
        "packages": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["registryType", "identifier", "version", "transport"],
                "additionalProperties": False,
                "properties": {
                    "registryType": {"const": "pypi"},
                    "identifier": {"type": "string"},
                    "version": {"not": {"const": "latest"}},
                    "runtimeHint": {"const": "uvx"},
                    "transport": {"const": {"type": "stdio"}},
                    "packageArguments": {
                        "items": {"required": ["type", "value"], "properties": {"type": {"const": "positional"}}}
                    },
                    "environmentVariables": {
                        "items": {
                            "required": ["name", "description"],
                            "additionalProperties": False,
                            "properties": {
                                "name": {"type": "string"},
                                "description": {"type": "string"},
                                "isRequired": {"type": "boolean"},
                                "isSecret": {"type": "boolean"},
                                "default": {"type": "string"},
                                "choices": {"type": "array", "items": {"type": "string"}},
                            },
                        }
                    },
                },
            },
        },
    },
}


def test_the_registry_entry_is_valid() -> None:
    entry = json.loads(text_of("server.json"))
    jsonschema.validate(entry, SERVER)
    (of_pypi,) = entry["packages"]
    assert (entry["version"], of_pypi["version"], of_pypi["identifier"]) == (VERSION, VERSION, PROJECT["name"])
    variables = {variable["name"]: variable for variable in of_pypi["environmentVariables"]}
    assert variables.keys() <= VARIABLES
    assert {name for name, variable in variables.items() if variable.get("isSecret")} == SECRETS


def test_the_registry_entry_is_up_to_date() -> None:
    assert text_of("server.json") == registry.entry(), RENEW


def test_the_readme_names_the_registry_entry() -> None:
    """PyPI shows the README, and the registry looks for this line there."""
    assert re.findall(r"mcp-name: (\S+)", text_of("README.md")) == [REGISTRY_NAME]


def test_the_plugin_is_up_to_date() -> None:
    there = {
        PurePosixPath(file.relative_to(plugin.FOLDER).as_posix()): file.read_text("utf-8")
        for file in plugin.FOLDER.rglob("*")
        if file.is_file()
    }
    assert there == plugin.files(), RENEW
    assert plugin.MARKETPLACE.read_text("utf-8") == plugin.marketplace(), RENEW


def test_every_prompt_is_a_skill_with_its_arguments() -> None:
    for prompt in load_prompts():
        name = prompt.name.replace("_", "-")
        _, front, body = plugin.files()[PurePosixPath("skills", name, "SKILL.md")].split("---\n", 2)
        assert yaml.safe_load(front) == {"name": name, "description": prompt.description}
        assert "{{" not in body
        for argument in prompt.arguments or []:
            assert f"- `<{argument.name}>`: {argument.description}" in body
            assert body.count(f"<{argument.name}>") > 1


def test_the_plugin_starts_this_version_and_contains_no_secret() -> None:
    (server,) = json.loads(plugin.files()[PurePosixPath(".mcp.json")])["mcpServers"].values()
    assert [server["command"], *server["args"]] == ["uvx", f"rc-mcp@{VERSION}", "serve"]
    assert server["env"].keys() <= VARIABLES
    assert all(value.startswith("${") for value in server["env"].values())


def test_the_bundle_marks_secrets_and_defaults_to_changes_that_can_be_undone() -> None:
    manifest = bundle.manifest()
    asked: dict[str, dict[str, Any]] = manifest["user_config"]
    environment: dict[str, str] = manifest["server"]["mcp_config"]["env"]
    assert environment.keys() <= VARIABLES
    assert environment.pop("RC_MCP_APPROVAL_PAGE") == "on"  # as `rc-mcp install claude-desktop` sets it
    name_of = {value: name for name, value in environment.items()}
    assert name_of.keys() == {f"${{user_config.{key}}}" for key in asked}
    assert {name_of[f"${{user_config.{key}}}"] for key, one in asked.items() if one.get("sensitive")} == SECRETS
    assert asked["access"]["default"] == "delete"
    assert [tool["name"] for tool in manifest["tools"]] == [tool.name for tool in tools_for("delete")]
    assert [key for key, one in asked.items() if not one["required"] and "default" not in one] == []
    assert manifest["version"] == VERSION


def test_the_bundle_has_the_wheel_and_pins_its_dependencies(wheel: Path, tmp_path: Path) -> None:
    bundle.fill(tmp_path / "bundle", wheel)
    inside = {file.name for file in (tmp_path / "bundle").iterdir()}
    assert inside == {"manifest.json", "pyproject.toml", "server.py", "LICENSE", wheel.name}
    settings = tomllib.loads((tmp_path / "bundle" / "pyproject.toml").read_text("utf-8"))
    pinned = {re.split("==", pin)[0] for pin in settings["tool"]["uv"]["constraint-dependencies"]}
    assert {re.split(r"[<>=~!;\[ ]", needed)[0] for needed in PROJECT["dependencies"]} <= pinned


def test_the_container_has_its_sources_and_does_not_run_as_root() -> None:
    allowed = {line[1:] for line in text_of(".dockerignore").splitlines() if line.startswith("!")}
    assert text_of(".dockerignore").startswith("*\n")
    assert set(container.sources()) == allowed
    assert all((ROOT / source).exists() for source in allowed)
    assert container.last("USER").text != "0"
    assert "--require-hashes" in text_of("Dockerfile")


def test_the_container_has_no_secret_and_defaults_to_changes_that_can_be_undone() -> None:
    said = text_of("Dockerfile")
    assert "RC_MCP_ACCESS=delete" in said
    assert [name for name in (*SECRETS, "RC_MCP_HTTP_TOKEN=") if f"{name}=" in said] == []
    assert "--unauthenticated" not in said


def workflows() -> list[tuple[str, dict[str, Any]]]:
    return [(file.name, yaml.safe_load(file.read_text())) for file in sorted((ROOT / ".github/workflows").iterdir())]


@pytest.mark.parametrize(("name", "workflow"), workflows())
def test_workflows_pin_their_actions_and_have_no_default_permissions(name: str, workflow: dict[str, Any]) -> None:
    used = [step["uses"] for job in workflow["jobs"].values() for step in job["steps"] if "uses" in step]
    assert used, name
    assert [action for action in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action)] == []
    assert workflow["permissions"] == {}
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())
    assert all(step.get("with", {}).get("persist-credentials") is False for step in checkouts(workflow))


def checkouts(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    return [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]


def test_every_supported_python_is_tested() -> None:
    matrix = dict(workflows())["test.yml"]["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert PROJECT["requires-python"] == f">={matrix['python'][0]}"
