"""The distribution without the server: the client and the emulator in an environment that has no mcp 2."""

import ast
import os
import re
import shlex
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from release import client, package
from release.project import PROJECT, ROOT, VERSION

# pydantic_core comes with pydantic. The other two are imported only where they are installed.
EXAMPLE = ROOT / "examples/rest_client.py"
IMPORTED_TOO = {"keyring", "pydantic_core", "pytest"}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("client") / "sources"
    client.fill(folder)
    return folder


@pytest.fixture(scope="module")
def site(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with only what the wheel installs."""
    folder = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(client.wheel(sources, folder.parent / "dist")).extractall(folder)
    return folder


def test_it_asks_for_what_its_modules_import_and_nothing_else(sources: Path) -> None:
    settings = tomllib.loads((sources / "pyproject.toml").read_text("utf-8"))["project"]
    asked = {re.split(r"[<>=]", needed)[0] for needed in settings["dependencies"]}
    found = {name.split(".")[0] for file in (sources / "rc_mcp").rglob("*.py") for name in imports(file)}
    others = found - sys.stdlib_module_names - IMPORTED_TOO - {"rc_mcp"}
    # Windows and uvicorn import these.
    assert {"pillow" if name == "PIL" else name for name in others} == asked - {"httptools", "tzdata"}
    assert set(settings["dependencies"]) <= set(PROJECT["dependencies"])
    assert (settings["name"], settings["version"]) == ("rc-mcp-client", VERSION)


def imports(file: Path) -> list[str]:
    found: list[str] = []
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
    return found


def test_it_has_every_module_that_its_modules_import(sources: Path) -> None:
    ours = {name for file in (sources / "rc_mcp").rglob("*.py") for name in imports(file) if name.startswith("rc_mcp.")}
    places = [sources / name.replace(".", "/") for name in ours]
    assert [place for place in places if not place.is_dir() and not place.with_suffix(".py").exists()] == []


def test_make_client_prints_the_command_that_installs_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "a folder"  # a path with a blank, as many a home has
    monkeypatch.setattr(client, "DIST", folder)
    client.main()
    pip, install, built = shlex.split(capsys.readouterr().out)
    assert (pip, install, Path(built).parent) == ("pip", "install", folder)
    assert "rc_mcp/emulator/pytest_plugin.py" in zipfile.ZipFile(built).namelist()


def test_every_page_that_offers_it_says_how_to_get_it_before_it_is_on_pypi() -> None:
    pages = [page for page in (ROOT / "docs").rglob("*.md") if "rc-mcp-client" in page.read_text("utf-8")]
    assert pages
    assert [page.name for page in pages if "make client" not in page.read_text("utf-8")] == []


def test_the_example_of_the_client_runs_without_the_server(site: Path, tmp_path: Path) -> None:
    run = f"import runpy, sys; sys.modules['mcp'] = None; runpy.run_path({str(EXAMPLE)!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", run],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Checked: restored, unread" in done.stdout


def test_client_and_fixture_work_without_mcp(site: Path, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('import sys\n\nsys.modules["mcp"] = None\n' + package.ENABLE)
    (tmp_path / "test_client.py").write_text(package.TRY_CLIENT)
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert str(site) in (tmp_path / "where.txt").read_text("utf-8")
