"""A short run of the guard's proof. `make prove-ci` runs thousands of examples; `make prove-mutants` tests it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.proof.judge import APPROVED
from tests.proof.mutants import MUTANTS, Mutant, mutated
from tests.proof.shard import run


def test_no_message_is_deleted_without_approval() -> None:
    report = run(7, 15)
    assert report["invariant"] is None, report["what"]
    assert report["counts"]["messages deleted"] > 0


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_a_mutant_still_fits_the_code(mutant: Mutant, tmp_path: Path) -> None:
    mutated(mutant, tmp_path)
    files = {change.file for change in mutant.changes}
    for file in files:
        compile((tmp_path / "rc_mcp" / file).read_text("utf-8"), file, "exec")


def test_the_proof_finds_a_guard_that_ignores_a_refusal(tmp_path: Path) -> None:
    mutated(next(m for m in MUTANTS if "decline" in m.name), tmp_path)
    command = [sys.executable, "-m", "tests.proof.shard", "1", "200"]
    ran = subprocess.run(
        command,
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert json.loads(ran.stdout.splitlines()[-1])["invariant"] == APPROVED
