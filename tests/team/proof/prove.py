"""The proof that a team's server keeps its users apart: `make prove-team`, and in CI `make prove-team-ci`.

Shards walk at the same time, each in a process of its own with a database of its own (`walk.py`). What happened is
counted, because a walk that never deletes, steals or logs in proves nothing: each must reach a minimum. A failure names
its seed and shard, which can be run again.
"""

import argparse
import json
import secrets
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.team import postgres
from tests.team.proof.shard import Report

ROOT = Path(__file__).parents[3]
SHARDS = 2

PER_10_000 = {
    "logins": 50,
    "tokens renewed": 50,
    "events heard": 5,
    "carried out: done": 100,
    "carried out again: refused": 20,
    "decided in the app: done": 10,
    "said no: declined": 20,
    "links: 200": 8,
    "after logging out: 401": 20,
    "theft: a_plan: refused": 20,
    "theft: a_request_state: error": 20,
    "theft: messages: error": 50,
    "theft: an_address: error": 50,
    "theft: a_mailbox: error": 20,
    "theft: a_sync_token: said": 10,
    "theft: a_code": 5,
    "theft: a_state": 5,
    "theft: a_refresh_token": 5,
    "theft: a_token_for_something_else": 20,
    "theft: a_link": 10,
}
"""How often each must happen at least in 10,000 steps."""


def main() -> int:
    """Walk, print what happened, and return 1 if something must not have, or if something never did."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--steps", type=int, default=200_000, help="of all shards together")
    options.add_argument("--races", type=int, default=10_000, help="plans that all replicas carry out at once")
    options.add_argument("--users", type=int, default=50)
    options.add_argument("--replicas", type=int, default=2)
    options.add_argument("--seed", type=int, default=None)
    options.add_argument("--shard", type=int, default=None, help="walk only this shard again")
    given = options.parse_args()
    seed = secrets.randbelow(10**9) if given.seed is None else given.seed
    shards = range(SHARDS) if given.shard is None else [given.shard]
    began = time.monotonic()
    with postgres.server() as url, ThreadPoolExecutor(len(shards)) as pool:
        postgres.with_template(url)

        def walk(shard: int) -> Report:
            with postgres.fresh(url) as database:
                words = [f"--{name}={value}" for name, value in (("users", given.users), ("replicas", given.replicas))]
                shares = [f"--steps={given.steps // SHARDS}", f"--races={given.races // SHARDS}"]
                own = [f"--seed={seed + shard}", *shares, f"--database={database}"]
                command = [sys.executable, "-m", "tests.team.proof.shard", *words, *own]
                done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
                if done.returncode:
                    sys.stderr.write(done.stderr[-20_000:])  # otherwise a line for each theft that was refused
                    return {"happened": {}, "errors": {}, "wrongs": [f"the walk itself ended with {done.returncode}"]}
                return json.loads(done.stdout.splitlines()[-1])

        reports = dict(zip(shards, pool.map(walk, shards), strict=True))
    return _print(reports, seed, given.steps * len(shards) // SHARDS, time.monotonic() - began)


def _print(reports: dict[int, Report], seed: int, steps: int, took_s: float) -> int:
    happened = Counter[str]()
    errors = Counter[str]()
    for report in reports.values():
        happened.update(report["happened"])
        errors.update(report["errors"])
    say = print
    say(f"seed {seed}: {steps} steps in {took_s:.0f} s ({steps / took_s:.0f} a second)")
    for what, number in sorted(happened.items()):
        say(f"{number:8} {what}")
    for what, number in errors.most_common(30):
        say(f"{number:8} error: {what}")
    scale = steps / 10_000
    rare = [w for w, least in PER_10_000.items() if happened[w] < int(least * scale)]
    for what in rare:
        say(f"TOO RARE: {what}: {happened[what]}, at least {int(PER_10_000[what] * scale)}")
    wrongs = [(shard, wrong) for shard, report in reports.items() for wrong in report["wrongs"]]
    for shard, wrong in wrongs[:20]:
        say(f"WRONG in shard {shard} (--seed {seed} --shard {shard}): {wrong[:1500]}")
    return 1 if wrongs or rare else 0


if __name__ == "__main__":
    sys.exit(main())
