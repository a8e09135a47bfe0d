"""`rc-mcp demo`: every claim is shown and checked, on any terminal."""

import io
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner
from mcp import Client, StdioServerParameters
from rich.console import Console

from rc_mcp.cli import main
from rc_mcp.cli.demo import tour
from rc_mcp.cli.demo.screen import Screen
from rc_mcp.cli.demo.stage import Stage
from rc_mcp.emulator import Emulator

CLAIMS = 16
"""The number of checks in the tour."""


DEMO = [sys.executable, "-W", "error", "-m", "rc_mcp", "demo"]
QUICK_DEMO = [
    *(sys.executable, "-W", "error", "-c"),
    (
        "from functools import partial; from rc_mcp.cli import main; from rc_mcp.cli.demo import stage;"
        "stage.Emulator = partial(stage.Emulator, rate_limits=False); main()"
    ),
    "demo",
]
"""Without RingCentral's limits, under which it takes half a minute to fill the local copy."""


def run_demo(folder: Path, command: list[str], **environment: str) -> subprocess.CompletedProcess[bytes]:
    # A mailbox configured on this machine, which the tour must not use: nothing listens there.
    real = {"RC_SERVER_URL": "http://127.0.0.1:9", "RC_APP_CLIENT_ID": "x", "RC_USER_JWT": "y", "RC_ACCESS_TOKEN": "z"}
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in real.items()))
    return subprocess.run(
        command,
        check=False,
        capture_output=True,
        timeout=240,
        cwd=folder,
        env={**os.environ, **real, "COLUMNS": "80", **environment},
    )


@pytest.fixture
def without_rate_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fill the tour's local copy at once: under RingCentral's limits it takes half a minute."""
    monkeypatch.setattr("rc_mcp.cli.demo.stage.Emulator", partial(Emulator, rate_limits=False))


def claims(shown: str, mark: str) -> list[str]:
    """Return the lines with this mark."""
    return [line.strip().removeprefix(mark).strip() for line in shown.splitlines() if line.strip().startswith(mark)]


def assert_all_claims_hold(shown: str, mark: str) -> None:
    made = claims(shown, mark)
    assert len(set(made)) == CLAIMS
    assert "Traceback" not in shown


def test_the_tour_succeeds_and_shows_every_claim(tmp_path: Path) -> None:
    done = run_demo(tmp_path, DEMO, PYTHONIOENCODING="utf-8")
    shown = done.stdout.decode()
    assert (done.returncode, done.stderr) == (0, b"")
    assert_all_claims_hold(shown, "✓")
    assert "\x1b" not in shown  # not a terminal: no colors, no cursor movements
    assert max(len(line) for line in shown.splitlines()) <= 80
    assert "PURGE 9" in shown
    assert "http://" not in shown  # the mailbox ends with the tour, so no address of it is given


def test_the_tour_needs_neither_color_nor_utf_8(tmp_path: Path) -> None:
    done = run_demo(tmp_path, QUICK_DEMO, LANG="C", LC_ALL="C", NO_COLOR="1", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (done.returncode, done.stderr) == (0, b"")
    assert_all_claims_hold(done.stdout.decode("ascii"), "ok:")


def test_the_tour_finishes_when_its_output_is_closed(tmp_path: Path) -> None:
    with subprocess.Popen(QUICK_DEMO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=240) == 0


@pytest.mark.process
@pytest.mark.usefixtures("without_rate_limits")
def test_a_failed_claim_is_shown_with_expected_and_found_values_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tour, "YES", tour.NO)
    done = CliRunner().invoke(main, ["demo"])
    assert done.exit_code == 1
    assert len(claims(done.stdout, "✗")) == 3
    assert len(claims(done.stdout, "✓")) == CLAIMS - 3
    assert 'expected: ["done", ' in done.stdout
    assert 'found:    ["declined", {}]' in done.stdout


@pytest.mark.process
@pytest.mark.usefixtures("without_rate_limits")
def test_words_that_are_in_no_voicemail_or_fax_fail_the_claims_that_they_were_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tour, "SPOKEN", "zeppelin")
    monkeypatch.setattr(tour, "FAXED", "airship")
    done = CliRunner().invoke(main, ["demo"])
    assert done.exit_code == 1
    spoken, faxed = claims(done.stdout, "✗")
    assert "zeppelin" in spoken
    assert "airship" in faxed


@pytest.mark.process
def test_a_copy_that_is_not_filled_in_time_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rc_mcp.time_limits.DEMO_COPY_S", 0)
    done = CliRunner().invoke(main, ["demo"])
    assert done.exit_code == 1
    (failed,) = claims(done.stdout, "✗")
    assert "the local copy was not complete" in failed


def test_a_server_that_does_not_start_is_reported_with_its_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    fails = StdioServerParameters(command=sys.executable, args=["-c", "import sys; sys.exit('no such thing')"])

    def server(_: Stage) -> StdioServerParameters:
        return fails

    monkeypatch.setattr(Stage, "_server", server)
    done = CliRunner().invoke(main, ["demo"])
    assert done.exit_code == 1
    assert len(claims(done.stdout, "✗")) == 1
    assert "no such thing" in done.stdout


@pytest.mark.process
def test_a_server_that_does_not_ask_stops_the_tour(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Stage.client

    def without_a_person(stage: Stage, _: object = None) -> Client:
        return real(stage)

    monkeypatch.setattr(Stage, "client", without_a_person)
    done = CliRunner().invoke(main, ["demo"])
    assert done.exit_code == 1
    assert len(claims(done.stdout, "✗")) == 1
    assert "confirmation_required" in done.stdout


def test_untrusted_text_is_not_interpreted_as_markup() -> None:
    out = io.StringIO()
    screen = Screen(Console(file=out, width=80))
    for show in (screen.quote, screen.question, screen.say):
        show("[bold]:smile: [/nothing] [link=http://x]y[/link]")
    assert out.getvalue().count("[bold]:smile: [/nothing] [link=http://x]y[/link]") == 3
