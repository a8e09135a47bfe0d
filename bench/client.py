"""How our client compares with RingCentral's own Python package on the same work: `make bench-client`.

Both work on one `rc-mcp emulator --no-rate-limits` over loopback, in turns, each job in a process of its own, after the
login. What to know when reading the figures:

- Each ratio is the median of those of the paired runs. Above 1 is in our favour.
- The emulator's own time is in both sides' figures, and it answers one request after the other. So even a client that
  costs nothing has a bound on such a machine, which is printed. RingCentral is not such a machine: hence the same jobs
  once more with a network's way before each answer (the emulator's own fault `latency`), the same for both.
- Ours does four things at once where they do not depend on each other; the official package is synchronous.
- An attachment is a voicemail's transcript of the size asked for: the emulator has no recording of a megabyte.
- "Its own" is the processor's time alone, of the client's process. It says more than the time on a busy machine.
- Memory is the process's peak resident set, as Linux tells it: its imports are in it, a growth is since the login.
- The last run has RingCentral's limits and no official package, which knows none: 500 attachments by 16 callers take
  twelve minutes. There time is virtual.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import click
import httpx2 as httpx

from rc_mcp.emulator import Draft, Emulator
from tests.interop.conftest import PYTHON_FILES, install_python, installed, python_of
from tests.ringcentral.under_budget import Run, attachments, virtual_now
from tests.ringcentral.virtual_time import VirtualLoop

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
MB = 1_000_000
JOBS = {
    "list": "list 10,000 messages",
    "read": "read 500 by id",
    "mark": "mark 1,000 read",
    "fetch": "fetch 100 attachments of 1 MB",
}


Measured = dict[str, Any]
Pairs = dict[str, list[tuple[Measured, Measured]]]
"""Of each job the paired runs, ours first."""


@click.command()
@click.option("--runs", default=5, show_default=True, help="Paired runs of each job.")
@click.option("--messages", default=10_000, show_default=True)
@click.option("--latency", default=40, show_default=True, help="Milliseconds on the way, in the second table.")
def main(runs: int, messages: int, latency: int) -> None:
    """Measures both clients and prints what it found."""
    official = python_of(installed("python", PYTHON_FILES, install_python))
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        plan = filled(folder / "mailbox.db", messages) | {"folder": temporary}
        with running(folder / "mailbox.db") as emulator:
            plan |= emulator
            near = {job: [both(plan | {"job": job}, official) for _ in range(runs)] for job in JOBS}
            large = both(plan | {"job": "large", "attachments": [plan["large"]]}, official)
            fault = {"kind": "latency", "seconds": latency / 1000, "times": None}
            httpx.post(f"{plan['admin_url']}/faults", json=fault).raise_for_status()
            far = {job: [both(plan | {"job": job}, official) for _ in range(min(runs, 3))] for job in JOBS}
    click.echo(f"{runs} paired runs on {os.cpu_count()} cores with a load of {load:.1f} before\n")
    report("official / ours, on loopback", near)
    together(near)
    row("a client that costs nothing", f"{bound(near):.2f}", "would get no further: the emulator's own time is left")
    report(f"\nofficial / ours, {latency} ms on the way", far)
    together(far)
    click.echo("\nours alone")
    row("requests to mark 1,000 read", f"{near['mark'][0][0]['requests']}", "target 1")
    official_mb = f"target under 20; the official package {large[1]['grown_mb']:.0f}"
    row("MB that a file of 200 MB adds to memory", f"{large[0]['grown_mb']:.1f}", official_mb)
    under_budget()


def under_budget() -> None:
    """Prints what becomes of 500 attachments and 16 callers under RingCentral's limits."""
    run, refused = in_virtual_time(), in_virtual_time(refuse_after=70, count=200)
    row("500 attachments, % of the rate allowed", f"{run.share_of_rate * 100:.1f}", "target 97")
    row("    answers with 429", f"{run.refused}", "target 0")
    row("    requests sent into a penalty", f"{run.into_penalty}", "target 0")
    row("    the same after a 429 that came unasked", f"{refused.into_penalty}", "target 0")


def in_virtual_time(**how: int) -> Run:
    async def go() -> Run:
        with Emulator(now=virtual_now) as emulator:
            return await attachments(emulator, **how)

    return anyio.run(go, backend_options={"loop_factory": VirtualLoop})


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
def running(database: Path) -> Generator[dict[str, Any]]:
    command = [sys.executable, "-m", "rc_mcp", "emulator", "--no-rate-limits", "--admin", "--db", str(database)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:  # noqa: S603
        try:
            assert process.stdout is not None  # noqa: S101
            yield json.loads(process.stdout.readline()) | {"emulator": process.pid}
        finally:
            process.terminate()


def both(plan: dict[str, Any], official: str) -> tuple[Measured, Measured]:
    """What ours and theirs took, one after the other."""
    ours = ran([sys.executable, str(HERE / "client_ours.py")], plan)
    theirs = ran([official, str(HERE / "client_official.py")], plan | {"attachments": full_addresses(plan)})
    if ours["done"] != theirs["done"]:
        raise click.ClickException(f"not the same work: {ours['done']} and {theirs['done']}")
    return ours, theirs


def full_addresses(plan: dict[str, Any]) -> list[list[str]]:
    return [[message, attachment, plan["media_url"] + path] for message, attachment, path in plan["attachments"]]


def ran(command: list[str], plan: dict[str, Any]) -> Measured:
    done = subprocess.run([*command, json.dumps(plan)], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise click.ClickException(done.stderr)
    return json.loads(done.stdout)


def report(title: str, pairs: Pairs) -> None:
    click.echo(
        f"{title:42} {'time':>6} {'its own':>8} {'requests':>9} {'memory':>7}   "
        f"{'ours: s':>7} {'its own':>8} {'requests':>9} {'MB':>4}   emulator's: s (with theirs)"
    )
    for job, runs in pairs.items():
        ratios = [statistics.median(their[what] / our[what] for our, their in runs) for what in MEASURES]
        ours = [statistics.median(our[what] for our, _ in runs) for what in (*MEASURES, "emulator_seconds")]
        theirs = statistics.median(their["emulator_seconds"] for _, their in runs)
        click.echo(
            "{:42} {:6.2f} {:8.2f} {:9.1f} {:7.2f}   ".format(JOBS[job], *ratios)
            + "{:7.2f} {:8.2f} {:9.0f} {:4.0f} {:17.2f}".format(*ours)
            + f" ({theirs:.2f})"
        )


MEASURES = ("seconds", "cpu_seconds", "requests", "peak_mb")


def together(pairs: Pairs) -> None:
    time, own = (
        statistics.median(total(turn, 1, what) / total(turn, 0, what) for turn in turns(pairs))
        for what in ("seconds", "cpu_seconds")
    )
    row("the four together", f"{time:.2f} {own:8.2f}", "target for the time: 3, and no job under 1")


def bound(pairs: Pairs) -> float:
    """What the ratio were, with the processors free, if our client took no time: the emulator's own would stay."""
    return statistics.median(
        (total(turn, 1, "cpu_seconds") + total(turn, 1, "emulator_seconds")) / total(turn, 0, "emulator_seconds")
        for turn in turns(pairs)
    )


def turns(pairs: Pairs) -> list[tuple[tuple[Measured, Measured], ...]]:
    """The first runs of all jobs, then the second ones."""
    return list(zip(*pairs.values(), strict=True))


def total(turn: tuple[tuple[Measured, Measured], ...], side: int, what: str) -> float:
    return sum(pair[side][what] for pair in turn)


def row(what: str, found: str, note: str) -> None:
    click.echo(f"{what:42} {found:>6}   {note}")


if __name__ == "__main__":
    main()
