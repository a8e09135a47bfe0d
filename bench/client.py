"""How our client compares with RingCentral's own Python package on the same work: `make bench-client`.

Both clients use one `rc-mcp emulator --no-rate-limits` over loopback, in turns. Each job runs in its own process and is
measured from the end of the login. How to read the figures:

- Each ratio is the median over the paired runs. Above 1 is in our favor.
- Both sides' times include the emulator's, which answers one request at a time. This limits the ratio even for a client
  that costs nothing; that limit is printed. RingCentral has no such limit, so the same jobs also run with network
  latency before each answer, the same for both (the emulator's fault `latency`). There the limit is a client that only
  waits: for each page of a list in turn, and for four others at once.
- Our client does up to four independent things at once, but requests the pages of a list one after the other; the
  official package is synchronous.
- An attachment is a voicemail transcript of the given size, because the emulator has no recording of a megabyte.
- Each run writes its attachments into a new folder: replacing files costs time as well.
- "Its own" is the processor time of only the client's process. On a busy machine it says more than the time.
- Plain httpx (`bench/client_plain.py`) sends the same requests and does nothing else. Its processor time is the limit
  for every client over httpx.
- Memory is the process's peak resident set, as Linux reports it. It includes imports; growth counts from the login.
- The last run has RingCentral's limits, and only our client, because the official package has no support for them:
  500 attachments by 16 callers take twelve minutes of virtual time.
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
from math import ceil
from pathlib import Path
from typing import Any

import anyio
import click
import httpx2 as httpx

from bench.at_once import AT_ONCE
from bench.wire import WITH_BYTECODE
from rc_mcp.emulator import Draft, Emulator
from tests.installed import python_environment, python_of
from tests.ringcentral.under_budget import Run, attachments, virtual_now
from tests.ringcentral.virtual_time import VirtualLoop

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PLAIN = [sys.executable, str(HERE / "client_plain.py")]
MB = 1_000_000
JOBS = {
    "list": "list 10,000 messages",
    "read": "read 500 by id",
    "mark": "mark 1,000 read",
    "fetch": "fetch 100 attachments of 1 MB",
}


Measured = dict[str, Any]
Pairs = dict[str, list[tuple[Measured, Measured]]]
"""The paired runs of each job, ours first."""


@click.command()
@click.option("--runs", default=5, show_default=True, help="Paired runs of each job.")
@click.option("--messages", default=10_000, show_default=True)
@click.option("--latency", default=40, show_default=True, help="Milliseconds of latency in the second table.")
def main(runs: int, messages: int, latency: int) -> None:
    """Measure both clients and print the results."""
    official = python_of(python_environment(ROOT / "tests/interop"))
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        plan = filled(folder / "mailbox.db", messages)
        with running(folder / "mailbox.db") as emulator:
            plan |= emulator
            near = {job: [both(plan | {"job": job}, official) for _ in range(runs)] for job in JOBS}
            plain = {job: [ran(PLAIN, plan | {"job": job}) for _ in range(runs)] for job in JOBS}
            large = both(plan | {"job": "large", "attachments": [plan["large"]]}, official)
            fault = {"kind": "latency", "seconds": latency / 1000, "times": None}
            httpx.post(f"{plan['admin_url']}/faults", json=fault).raise_for_status()
            far = {job: [both(plan | {"job": job}, official) for _ in range(min(runs, 3))] for job in JOBS}
    click.echo(f"{runs} paired runs on {os.cpu_count()} cores with a load of {load:.1f} before\n")
    report("official / ours, on loopback", near)
    together(near)
    row("a client that costs nothing", f"{bound(near):6.2f}", "the limit: only the emulator's own time is left")
    row("plain httpx", f"{'':6} {bound_own(near, plain):8.2f}", "the limit for a client's own over httpx")
    report(f"\nofficial / ours, {latency} ms of latency", far)
    together(far)
    row("a client that costs nothing", f"{bound_far(far, latency):.2f}", "the limit: only the latency is left")
    click.echo("\nonly ours")
    row("requests to mark 1,000 read", f"{near['mark'][0][0]['requests']}", "target 1")
    official_mb = f"target under 20; the official package {large[1]['grown_mb']:.0f}"
    row("MB that a file of 200 MB adds to memory", f"{large[0]['grown_mb']:.1f}", official_mb)
    under_budget()


def under_budget() -> None:
    """Measure 500 attachments by 16 callers under RingCentral's limits and print the results."""
    run, refused = in_virtual_time(), in_virtual_time(refuse_after=70, count=200)
    row("500 attachments, % of the rate allowed", f"{run.share_of_rate * 100:.1f}", "target 97")
    row("    answers with 429", f"{run.refused}", "target 0")
    row("    requests sent during a penalty", f"{run.into_penalty}", "target 0")
    row("    the same after an unexpected 429", f"{refused.into_penalty}", "target 0")


def in_virtual_time(**how: int) -> Run:
    async def go() -> Run:
        with Emulator(now=virtual_now) as emulator:
            return await attachments(emulator, **how)

    return anyio.run(go, backend_options={"loop_factory": VirtualLoop})


def filled(database: Path, messages: int) -> dict[str, Any]:
    """Fill a mailbox and return the ids, addresses and dates for the jobs."""
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
    """Run our client and then the official one; return their measurements."""
    ours = ran([sys.executable, str(HERE / "client_ours.py")], plan)
    theirs = ran([official, str(HERE / "client_official.py")], plan | {"attachments": full_addresses(plan)})
    if ours["done"] != theirs["done"]:
        raise click.ClickException(f"not the same work: {ours['done']} and {theirs['done']}")
    return ours, theirs


def full_addresses(plan: dict[str, Any]) -> list[list[str]]:
    return [[message, attachment, plan["media_url"] + path] for message, attachment, path in plan["attachments"]]


def ran(command: list[str], plan: dict[str, Any]) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(  # noqa: S603
            [*command, json.dumps(plan | {"folder": folder})],
            cwd=ROOT,
            env=os.environ | WITH_BYTECODE,
            capture_output=True,
            text=True,
            check=False,
        )
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
    row("the four together", f"{time:.2f} {own:8.2f}", "target 1.8 near, 4 far; its own 2.5; no job under 1")


def bound(pairs: Pairs) -> float:
    """Return the ratio for a client that takes no time, on an idle machine: only the emulator's own time is left."""
    return statistics.median(
        (total(turn, 1, "cpu_seconds") + total(turn, 1, "emulator_seconds")) / total(turn, 0, "emulator_seconds")
        for turn in turns(pairs)
    )


def bound_own(pairs: Pairs, plain: dict[str, list[Measured]]) -> float:
    """Return the ratio of processor time for plain httpx."""
    runs = zip(*plain.values(), strict=True)
    return statistics.median(
        total(turn, 1, "cpu_seconds") / sum(measured["cpu_seconds"] for measured in run)
        for turn, run in zip(turns(pairs), runs, strict=True)
    )


def bound_far(pairs: Pairs, latency: int) -> float:
    """Return the ratio for a client that only waits: for each page of a list in turn, and for others some at once."""
    requests = {job: runs[0][0]["requests"] for job, runs in pairs.items()}
    waits = sum(sent if job == "list" else ceil(sent / AT_ONCE) for job, sent in requests.items())
    return statistics.median(total(turn, 1, "seconds") / (waits * latency / 1000) for turn in turns(pairs))


def turns(pairs: Pairs) -> list[tuple[tuple[Measured, Measured], ...]]:
    """Group the runs by turn: the first runs of all jobs, then the second ones."""
    return list(zip(*pairs.values(), strict=True))


def total(turn: tuple[tuple[Measured, Measured], ...], side: int, what: str) -> float:
    return sum(pair[side][what] for pair in turn)


def row(what: str, found: str, note: str) -> None:
    click.echo(f"{what:42} {found:>6}   {note}")


if __name__ == "__main__":
    main()
