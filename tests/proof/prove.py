"""The proof of GUARD.md, section 7, on all cores: `make prove`, and in CI `make prove-ci`.

It prints a count of each event. A proof that never deletes anything proves nothing, so each event must reach a minimum.
A failure names its shard, which you can run separately.
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.proof.faults import AFTER, BEFORE, LATE, ODD, PARTS, WITHOUT_CODE
from tests.proof.host import LOCK_FAULTS
from tests.proof.shard import STEPS, Report

ROOT = Path(__file__).parents[2]
SHARDS = 8
"""Not one for each core: the examples of a seed are the same on every machine."""

PER_THOUSAND = {
    "plans: delete_message": 1000,
    "plans: delete_message (purge)": 500,
    "plans: delete_message_by_filter": 800,
    "plans: delete_message_by_filter (purge)": 150,
    "plans: update_message_store_configuration": 800,
    "approved: question": 1000,
    "approved: chat": 200,
    "approved: terminal": 250,
    "approved: policy": 60,
    "approved: app": 300,
    "approved: browser": 500,
    "denied": 800,
    "plans carried out: question": 800,
    "plans carried out: chat": 60,
    "plans carried out: terminal": 15,
    "plans carried out: policy": 60,
    "plans carried out: app": 100,
    "plans carried out: browser": 200,
    "plans carried out: only the messages that were left in them": 100,
    "plans carried out without their protected messages": 3,
    "caps used up": 5,
    "answered: partial": 300,
    "answered: unknown": 150,
    "answered: failed": 50,
    "DELETEs": 900,
    "PUTs of the retention period": 150,
    "messages deleted": 1000,
    "messages purged": 300,
    "late DELETEs carried out": 20,
    "late PUTs carried out": 8,
    "refused in part, in doubt in part": 10,
    "held back: in doubt": 40,
    "unknown: delete_message": 100,
    "unknown: patch_message": 60,
    "unknown: undo": 60,
    "messages restored by an undo": 150,
    "undone: done": 60,
    "undone: partial": 4,
    "undone: failed": 30,
    "asked again": 150,
    "cancelled": 35,
    "calls cut off after a DELETE": 2,
    "restarts": 500,
    "machines started again": 80,
    "servers started in foreign folders": 80,
    "clocks set ahead": 300,
    "clocks set back": 200,
    "begun: clocks go forward": 50,
    "begun: clocks go back": 50,
    "during a step: an early message arrives": 15,
    "during a step: a very early message arrives": 15,
    "steps with calls at once": 700,
}
"""The minimum of each event in a thousand examples, below the usual count because examples are random."""


def run(shard: int, examples: int) -> Report:
    """Run one shard in its own process, reproducibly."""
    command = [sys.executable, "-m", "tests.proof.shard", str(shard), str(examples), "--shrink"]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode:
        return Report(counts={}, invariant="?", what=ran.stderr[-4000:])
    return json.loads(ran.stdout.splitlines()[-1])  # Hypothesis may print lines before it


def rare(counts: Counter[str]) -> list[str]:
    """Return the events that did not happen often enough."""
    often = PER_THOUSAND | {f"fault: {fault}": 30 for fault in LOCK_FAULTS}
    needed = {what: n * counts["examples"] // 1000 for what, n in often.items()}
    # There are many faults, so each occurs rarely: 2 to 50 times in 2,000 examples.
    faults = (*BEFORE, *AFTER, *ODD, *LATE, *WITHOUT_CODE, *PARTS)
    needed |= {f"fault: {fault}": counts["examples"] // 2000 for fault in faults}
    return [f"{what}: {counts[what]}, at least {n} are needed" for what, n in needed.items() if counts[what] < n]


def main() -> int:
    parse = argparse.ArgumentParser()
    parse.add_argument("--examples", type=int, required=True)
    parse.add_argument("--seed", type=int, help="default: a new one each time, which is printed")
    chosen = parse.parse_args()
    seed = secrets.randbelow(10**6) if chosen.seed is None else chosen.seed
    each = -(-chosen.examples // SHARDS)
    print(f"seed {seed}: {SHARDS} shards of {each} examples of {STEPS} steps", flush=True)
    began, counts, failed = time.monotonic(), Counter[str](), list[str]()
    with ThreadPoolExecutor(os.cpu_count()) as at_once:
        numbers = [seed * 1000 + n for n in range(SHARDS)]
        for number, report in zip(numbers, at_once.map(run, numbers, [each] * SHARDS), strict=True):
            counts.update(report["counts"])
            if report["invariant"]:
                failed.append(report["invariant"])
                print(f"python -m tests.proof.shard {number} {each} --shrink\n{report['what']}", flush=True)
    for what, n in sorted(counts.items()):
        print(f"{n:9,} {what}")
    print(f"{time.monotonic() - began:.0f} s")
    wrong = [_message(invariant) for invariant in failed] or rare(counts)
    print("\n".join(wrong or ["No invariant was broken."]))
    return 1 if wrong else 0


def _message(invariant: str) -> str:
    return "A shard did not finish." if invariant == "?" else f"An invariant was broken: {invariant}."


if __name__ == "__main__":
    sys.exit(main())
