"""How our client compares with RingCentral's own Python package on the same work: `make bench-client`.

Both work on one `rc-mcp emulator --no-rate-limits` over loopback, in turns, each job in a process of its own, after the
login. What to know when reading the figures:

- Each ratio is the median of those of the paired runs. Above 1 is in our favour.
- The emulator's own time is in both sides' figures, and on two cores it has one of them.
- Ours does four things at once where they do not depend on each other; the official package is synchronous.
- An attachment is a voicemail's transcript of the size asked for: the emulator has no recording of a megabyte.
- Memory is the process's peak resident set, as Linux tells it: its imports are in it, a growth is since the login.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from rc_mcp.emulator import Draft, Emulator
from tests.installed import python_environment, python_of

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
MB = 1_000_000
JOBS = {
    "list": "list 10,000 messages",
    "read": "read 500 by id",
    "mark": "mark 1,000 read",
    "fetch": "fetch 100 attachments of 1 MB",
}


@click.command()
@click.option("--runs", default=5, show_default=True, help="Paired runs of each job.")
@click.option("--messages", default=10_000, show_default=True)
def main(runs: int, messages: int) -> None:
    """Measures both clients and prints what it found."""
    official = python_of(python_environment(ROOT / "tests/interop"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        plan = filled(folder / "mailbox.db", messages) | {"folder": temporary}
        with running(folder / "mailbox.db") as login:
            plan |= login
            pairs = {job: [both(plan | {"job": job}, official) for _ in range(runs)] for job in JOBS}
            plan["attachments"] = [plan["large"]]
            large = both(plan | {"job": "large"}, official)
    report(pairs)
    row("a file of 200 MB, growth of peak memory", f"{large[0]['grown_mb']:.1f} MB", "under 20 MB")
    row("    the official package", f"{large[1]['grown_mb']:.1f} MB")


def filled(database: Path, messages: int) -> dict[str, Any]:
    """A mailbox, and what to do with it."""
    now = datetime.now(UTC)
    with Emulator(db=database, messages=messages, rate_limits=False) as emulator:
        ids = [record["id"] for record in emulator.store.messages() if record["availability"] == "Alive"]
        drafts = [voicemail(now, 1)] * 100 + [voicemail(now, 200)]
        emulator.store.add_all(drafts)
        newest = emulator.store.messages()[: len(drafts)]
        host = emulator.media_url
    attachments = [
        [str(record["id"]), str(item["id"]), item["uri"].removeprefix(host)]
        for record in newest
        for item in record["attachments"]
        if item["type"] == "AudioTranscription"
    ]
    return {
        "ids": [str(id_) for id_ in ids[:1000]],
        "attachments": attachments[1:],
        "large": attachments[0],
        "since": (now - timedelta(days=90)).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "until": (now - timedelta(seconds=60)).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


def voicemail(now: datetime, megabytes: int) -> Draft:
    return Draft(type="VoiceMail", created=now, transcript="x" * (megabytes * MB))


@contextmanager
def running(database: Path) -> Generator[dict[str, str]]:
    command = [sys.executable, "-m", "rc_mcp", "emulator", "--no-rate-limits", "--db", str(database)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:  # noqa: S603
        try:
            assert process.stdout is not None  # noqa: S101
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


def both(plan: dict[str, Any], official: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What ours and theirs took, one after the other."""
    ours = ran([sys.executable, str(HERE / "client_ours.py")], plan)
    theirs = ran([official, str(HERE / "client_official.py")], plan | {"attachments": full_addresses(plan)})
    if ours["done"] != theirs["done"]:
        raise click.ClickException(f"not the same work: {ours['done']} and {theirs['done']}")
    return ours, theirs


def full_addresses(plan: dict[str, Any]) -> list[list[str]]:
    return [[message, attachment, plan["media_url"] + path] for message, attachment, path in plan["attachments"]]


def ran(command: list[str], plan: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run([*command, json.dumps(plan)], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise click.ClickException(done.stderr)
    return json.loads(done.stdout)


def report(pairs: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]]) -> None:
    click.echo(f"{'official / ours':42} {'time':>8} {'requests':>9} {'memory':>8}   seconds, requests, MB of ours")
    for job, runs in pairs.items():
        ratios = [statistics.median(their[what] / our[what] for our, their in runs) for what in MEASURES]
        ours = [statistics.median(our[what] for our, _ in runs) for what in MEASURES]
        click.echo(
            "{:42} {:8.2f} {:9.1f} {:8.2f}   ".format(JOBS[job], *ratios) + "{:.2f}, {:.0f}, {:.0f}".format(*ours)
        )
    together = [
        tuple(sum(run[side]["seconds"] for run in turn) for side in (0, 1))
        for turn in zip(*pairs.values(), strict=True)
    ]
    row(
        "the four together, time",
        f"{statistics.median(their / our for our, their in together):.2f}",
        "3; no job under 1",
    )


MEASURES = ("seconds", "requests", "peak_mb")


def row(what: str, found: str, target: str = "") -> None:
    click.echo(f"{what:42} {found:>8}" + (f"   target {target}" if target else ""))


if __name__ == "__main__":
    main()
