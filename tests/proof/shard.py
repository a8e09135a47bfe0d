"""One part of the proof, in its own process: `python -m tests.proof.shard SEED EXAMPLES [--shrink]`.

It prints one JSON object: a count of each event, and the first violation, if any.
"""

import json
import logging
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import TypedDict, cast

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.errors import HypothesisWarning
from hypothesis.stateful import run_state_machine_as_test

from tests.proof.judge import Violation
from tests.proof.machine import Machine
from tests.proof.office import office

STEPS = 50


class Report(TypedDict):
    """The result of a shard."""

    counts: dict[str, int]
    invariant: str | None
    """The broken invariant; `?` for any other failure."""
    what: str
    """The failure, and the steps that lead to it."""


def run(number: int, examples: int, *, shrink: bool = False) -> Report:
    """Run this many examples of `STEPS` steps, always the same for one number."""
    logging.disable(logging.CRITICAL)  # servers log every refused requestState
    machine = seed(number)(type("Machine", (Machine,), {}))
    phases = [Phase.generate, Phase.shrink] if shrink else [Phase.generate]
    how = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        phases=phases,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType]
    )
    machine.totals = Counter()
    # In memory if the system supports it: the guard waits for the disk at every step.
    memory = Path("/dev/shm")  # noqa: S108
    with (
        tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder,
        office(Path(folder)) as (machine.office, machine.portal),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", HypothesisWarning)  # a warning that the printed office is long
        try:
            run_state_machine_as_test(machine, settings=how)
        except Exception as failure:  # noqa: BLE001  every failure is reported
            text = "\n".join([repr(failure), *getattr(failure, "__notes__", [])])
            violation = _violation(failure)
            return Report(counts=dict(machine.totals), invariant=violation.invariant if violation else "?", what=text)
        finally:
            logging.disable(logging.NOTSET)
    return Report(counts=dict(machine.totals), invariant=None, what="")


def _violation(failure: BaseException) -> Violation | None:
    """Return the violation, if any. Hypothesis wraps one that it could not reproduce: threads run in any order."""
    if isinstance(failure, BaseExceptionGroup):
        return next(filter(None, map(_violation, cast("BaseExceptionGroup[Exception]", failure).exceptions)), None)
    return failure if isinstance(failure, Violation) else None


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]), int(sys.argv[2]), shrink="--shrink" in sys.argv)))
