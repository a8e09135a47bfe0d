"""The example of a whole installation: its parts fit together, and its proxy does what the page about it says."""

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx2 as httpx
import pytest
import yaml

from rc_mcp.settings import Settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "team"
CADDY = shutil.which("caddy")
OURS = {field.alias for field in Settings.model_fields.values()}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]


def variables(file: str) -> dict[str, str]:
    """The variables of an example of an env file."""
    lines = (FOLDER / file).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_two_replicas_are_the_same_and_start_after_the_migration(services: dict[str, Any]) -> None:
    one, two = services["replica-1"], services["replica-2"]

    assert one == two
    assert one["command"][:3] == ["serve", "--http", "--team"]
    assert one["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert services["migrate"]["command"] == ["database", "migrate"]


def test_no_container_of_ours_can_write_its_files_or_gain_rights(services: dict[str, Any]) -> None:
    for name in ("replica-1", "replica-2", "migrate"):
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]


def test_only_the_proxy_is_reached_from_outside(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]
    assert services["postgres"]["networks"] == ["inside"]


def test_each_variable_that_compose_needs_is_in_the_example_and_empty() -> None:
    needed = set(re.findall(r"\$\{(\w+)", (FOLDER / "compose.yaml").read_text()))

    assert variables(".env.example") == dict.fromkeys(sorted(needed), "")


def test_the_example_has_our_settings_and_no_secret() -> None:
    given = variables("team.env.example")

    assert given.keys() - OURS == set()
    assert {name for name, value in given.items() if value} == {"RC_MCP_ACCESS"}


def test_the_image_is_built_with_the_packages_for_a_team(services: dict[str, Any]) -> None:
    lock = services["replica-1"]["build"]["args"]["LOCK"]

    assert f"{lock} ./" in (ROOT / "Dockerfile").read_text()
    assert "psycopg-pool==" in (ROOT / lock).read_text()


def test_the_database_role_is_no_superuser_and_its_password_is_not_in_the_file() -> None:
    script = (FOLDER / "role.sh").read_text()

    assert "NOSUPERUSER" in script
    assert "PASSWORD :'password'" in script


class _Server(ThreadingHTTPServer):
    is_ending = False


class _Replica(BaseHTTPRequestHandler):
    """Answers with the port it listens on."""

    server: "_Server"  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        ready = not (self.path == "/readyz" and self.server.is_ending)
        self.send_response(200 if ready else 503)
        self.end_headers()
        self.wfile.write(str(self.server.server_port).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def replica() -> Generator[_Server]:
    server = _Server(("127.0.0.1", 0), _Replica)
    running = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    running.start()
    try:
        yield server
    finally:
        server.shutdown()
        running.join()
        server.server_close()


@contextmanager
def proxied(folder: Path, *replicas: _Server) -> Generator[str]:
    """Run Caddy with our file in front of these servers; yield its address."""
    assert CADDY is not None
    with replica() as free:
        port = free.server_port
    config = (FOLDER / "Caddyfile").read_text()
    for number, each in enumerate(replicas, 1):
        config = config.replace(f"replica-{number}:8000", f"127.0.0.1:{each.server_port}")
    file = folder / "Caddyfile"
    file.write_text("{\n\tadmin off\n}\n" + config)
    address = f"http://127.0.0.1:{port}"
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PUBLIC_NAME": address}
    with subprocess.Popen(
        [CADDY, "run", "--config", str(file), "--adapter", "caddyfile"], env=environment, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _wait_for(lambda: _status(address) == 200)
            yield address
        finally:
            process.terminate()


@pytest.mark.process
@pytest.mark.skipif(CADDY is None, reason="Caddy is not installed")
def test_the_proxy_asks_all_replicas_and_leaves_out_one_that_ends(tmp_path: Path) -> None:
    with replica() as one, replica() as two, proxied(tmp_path, one, two) as address:
        ports = {str(each.server_port) for each in (one, two)}
        _wait_for(lambda: {httpx.get(address).text for _ in range(4)} == ports)

        one.is_ending = True

        _wait_for(lambda: {httpx.get(address).text for _ in range(4)} == {str(two.server_port)})


@pytest.mark.process
@pytest.mark.skipif(CADDY is None, reason="Caddy is not installed")
def test_the_proxy_does_not_show_the_operators_addresses(tmp_path: Path) -> None:
    with replica() as one, replica() as two, proxied(tmp_path, one, two) as address:
        assert [httpx.get(f"{address}{path}").status_code for path in ("/operator/tenants", "/metrics")] == [404, 404]


def _status(address: str) -> int:
    try:
        return httpx.get(address, timeout=5).status_code
    except httpx.HTTPError:
        return 0


def _wait_for(holds: Callable[[], bool]) -> None:
    until = monotonic() + 20
    while not holds():
        assert monotonic() < until
        sleep(0.05)  # another process sends no event
