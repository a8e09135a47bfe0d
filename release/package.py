"""`make package`: builds wheels, sdists and the bundle into dist/, tries each as a new user would, and prints figures.

Everything runs in empty folders and a new environment, without access to the checkout.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import IO, Any

from release import bundle, client
from release.project import PROJECT, ROOT, VERSION

DIST = ROOT / "dist"
MCPB = "@anthropic-ai/mcpb@2.1.2"
STARTS = 7
PATIENCE_S = 300
ADAPTERS = "langchain-mcp-adapters==0.3.2"
"""An agent framework that needs mcp 1, and so cannot be installed beside the server."""
ENABLE = 'pytest_plugins = ["rc_mcp.emulator.pytest_plugin"]\n'
TRY_CLIENT = """\
from pathlib import Path

import anyio
import rc_mcp
from rc_mcp.ringcentral import JWTAuth, MessageStoreClient


def test_the_client_deletes_a_message(ringcentral):
    async def delete():
        auth = JWTAuth(ringcentral.server_url, ringcentral.client_id, ringcentral.client_secret, ringcentral.jwt)
        urls = {"server_url": ringcentral.server_url, "media_url": ringcentral.media_url}
        async with MessageStoreClient(auth, **urls) as store:
            listed = await store.list_messages()
            await store.delete_message(listed.records[0].id)
            return listed.records[0].id

    deleted = anyio.run(delete)
    assert ringcentral.message(deleted)["availability"] == "Deleted"
    Path("where.txt").write_text(rc_mcp.__file__)
"""
"""A test with the client and the emulator's fixture."""


def main() -> None:
    """Run all steps; exit with code 1 and a message at the first check that fails."""
    shutil.rmtree(DIST, ignore_errors=True)
    with TemporaryDirectory(prefix="rc-mcp-package-") as name:
        folder = Path(name)
        wheel, sdist = build(ROOT, DIST)
        report(wheel, f"{len(zipfile.ZipFile(wheel).namelist())} files")
        with tarfile.open(sdist) as archive:
            report(sdist, f"{len(archive.getnames())} files")
            archive.extractall(folder / "sdist", filter="data")
        require(same(build(ROOT, folder / "again"), (wheel, sdist)), "a second build gives the same bytes")
        (unpacked,) = (folder / "sdist").iterdir()
        from_sdist, _ = build(unpacked, folder / "from-sdist")
        require(same([from_sdist], [wheel]), "the sdist builds the same wheel")
        try_wheel(wheel, folder / "wheel")
        try_bundle(wheel, folder / "bundle")
        try_client(folder / "client")


def build(source: Path, into: Path) -> tuple[Path, Path]:
    """Build wheel and sdist. Their timestamps come from the last commit, so that bytes can be compared."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": os.environ.get("SOURCE_DATE_EPOCH") or _last_commit()}
    run([sys.executable, "-m", "hatchling", "build", "-d", str(into)], cwd=source, env=environment)
    (wheel,) = into.glob("*.whl")
    (sdist,) = into.glob("*.tar.gz")
    return wheel, sdist


def try_wheel(wheel: Path, folder: Path) -> None:
    """Install only the wheel, run the demo, and measure the start."""
    python = _environment(folder / "venv", ["--constraint", str(ROOT / "requirements.lock")], str(wheel))
    empty = folder / "empty"
    empty.mkdir()
    command = [str(python.with_name("rc-mcp"))]
    require(
        run([*command, "--version"], cwd=empty, env=_clean_env()).strip().endswith(VERSION),
        f"it is version {VERSION}",
    )
    demo = run([*command, "demo"], cwd=empty, env=_clean_env())
    require("claims hold" in demo, f"rc-mcp demo: {demo.strip().splitlines()[-1]}")
    require(not any(empty.iterdir()), "it left no files in the folder")
    took: list[float] = []
    sdk: list[float] = []
    for _ in range(STARTS):  # in turn, so that both run under the same load
        took.append(first_tools_list([*command, "serve", "--demo"], empty)[0])
        sdk.append(_seconds([str(python), "-c", "import mcp.server.mcpserver"], empty))
    ratio = median(took) / median(sdk)
    print(
        f"  first tools/list of `serve --demo` after {median(took):.2f} s, {ratio:.2f} times what importing the "
        f"MCP SDK takes (medians of {STARTS}, in turn)"
    )


def try_client(folder: Path) -> None:
    """Build the distribution without the server, and use it in an environment whose agent framework needs mcp 1."""
    client.fill(folder / "sources")
    for built in build(folder / "sources", folder / "dist"):
        report(Path(shutil.copy(built, DIST)), "without the server")
    python = _environment(folder / "venv", [], str(next((folder / "dist").glob("*.whl"))), ADAPTERS, "pytest")
    tests = folder / "tests"
    tests.mkdir()
    (tests / "conftest.py").write_text(ENABLE)
    (tests / "test_client.py").write_text("import langchain_mcp_adapters.client\n" + TRY_CLIENT)
    run([str(python), "-m", "pytest", "-q", "-W", "error::DeprecationWarning:rc_mcp"], cwd=tests, env=_clean_env())
    mcp = run([str(python), "-c", "from importlib.metadata import version; print(version('mcp'))"], cwd=tests)
    require(mcp.startswith("1."), f"client and fixture work beside {ADAPTERS} and mcp {mcp.strip()}")


def try_bundle(wheel: Path, folder: Path) -> None:
    """Validate, pack, unpack and start the bundle; without npm, print that it was skipped."""
    if not shutil.which("npm"):
        print("bundle skipped: npm is not installed")
        return
    packed = DIST / f"{PROJECT['name']}-{VERSION}.mcpb"
    bundle.fill(folder / "in", wheel)
    _mcpb("validate", str(folder / "in" / "manifest.json"))
    _mcpb("pack", str(folder / "in"), str(packed))
    with zipfile.ZipFile(packed) as archive:
        report(packed, f"{len(archive.namelist())} files")
        archive.extractall(folder / "out")
    manifest: dict[str, Any] = json.loads((folder / "out" / "manifest.json").read_text("utf-8"))
    arguments = [a.replace("${__dirname}", str(folder / "out")) for a in manifest["server"]["mcp_config"]["args"]]
    command = [_uv(), *arguments, "--demo", "--access", "delete"]
    _, tools = first_tools_list(command, folder)  # installs the dependencies
    require(tools == [tool["name"] for tool in manifest["tools"]], f"it starts, with its {len(tools)} tools")


def first_tools_list(command: list[str], folder: Path) -> tuple[float, list[str]]:
    """Return the seconds from the start of a server to its list of tools, and the tools' names."""
    began = perf_counter()
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=_clean_env(),
    ) as server:
        try:
            ask = _conversation(server)
            ask(
                "initialize",
                {
                    "protocolVersion": "2025-11-25",
                    "capabilities": {},
                    "clientInfo": {"name": "package", "version": "1"},
                },
            )
            tools = ask("tools/list", {})["tools"]
            return perf_counter() - began, [tool["name"] for tool in tools]
        finally:
            server.kill()


def _seconds(command: list[str], folder: Path) -> float:
    began = perf_counter()
    run(command, cwd=folder, env=_clean_env())
    return perf_counter() - began


def _conversation(server: "subprocess.Popen[bytes]") -> Any:
    assert server.stdin is not None
    assert server.stdout is not None
    requests, answers = server.stdin, server.stdout

    def ask(method: str, params: dict[str, Any]) -> dict[str, Any]:
        _say(requests, {"id": 1, "method": method, "params": params})
        answer = json.loads(answers.readline() or "{}")
        if "result" not in answer:
            sys.exit(f"The server did not answer {method}: {answer or 'it ended'}")
        if method == "initialize":
            _say(requests, {"method": "notifications/initialized"})
        return answer["result"]

    return ask


def _say(stream: IO[bytes], message: dict[str, Any]) -> None:
    stream.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
    stream.flush()


def report(file: Path, more: str) -> None:
    """Print a line about a built file."""
    print(f"{file.relative_to(ROOT)}: {file.stat().st_size / 1000:.0f} kB, {more}")


def require(holds: bool, what: str) -> None:
    """Print a check that holds; exit if it does not."""
    if not holds:
        sys.exit(f"  FAILED: {what}")
    print(f"  {what}")


def run(command: list[str], *, cwd: Path, env: Mapping[str, str] | None = None) -> str:
    """Run a command and return its output; exit and show it if the command fails."""
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, encoding="utf-8", timeout=PATIENCE_S, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def same(some: Any, others: Any) -> bool:
    """Return whether files have the same bytes."""
    hashes = [[hashlib.sha256(file.read_bytes()).hexdigest() for file in files] for files in (some, others)]
    return hashes[0] == hashes[1]


def _environment(venv: Path, options: list[str], *packages: str) -> Path:
    """Return the Python of a new environment with these packages."""
    run([_uv(), "venv", "--quiet", "--python", sys.executable, str(venv)], cwd=ROOT)
    (python,) = (found for name in ("bin/python", "Scripts/python.exe") if (found := venv / name).exists())
    run([_uv(), "pip", "install", "--quiet", "--python", str(python), *options, *packages], cwd=ROOT)
    return python


def _mcpb(*arguments: str) -> None:
    run(["npm", "exec", "--yes", f"--package={MCPB}", "--", "mcpb", *arguments], cwd=ROOT)


def _uv() -> str:
    return shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])) or "uv"


def _clean_env() -> dict[str, str]:
    """Return the environment without variables that could lead to the checkout or a real account."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RC_", "PYTHON")) and name != "VIRTUAL_ENV"
    }


def _last_commit() -> str:
    shown = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=False)
    return shown.stdout.strip() or "1577836800"


if __name__ == "__main__":
    main()
