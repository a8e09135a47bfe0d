"""Checks for the make targets: the tests that may start a process, and the hours to try."""

import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from tests import processes
from tests.hours.__main__ import SECONDS_BEFORE, runs


def start_one() -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)


@pytest.fixture
def started() -> None:
    start_one()


def test_a_process_started_without_the_mark_fails_the_test_though_the_error_was_caught() -> None:
    with pytest.raises(AssertionError, match="mark it"), processes.forbidden("a test"), suppress(RuntimeError):
        start_one()


@pytest.mark.usefixtures("started")
def test_a_test_whose_fixture_starts_a_process_has_the_mark(request: pytest.FixtureRequest) -> None:
    assert request.node.get_closest_marker("process")


def test_a_test_that_starts_no_process_has_no_mark(request: pytest.FixtureRequest) -> None:
    assert request.node.get_closest_marker("process") is None


def test_the_clock_is_shifted_to_each_hour_and_over_each_change_of_clocks() -> None:
    tried = list(runs())
    assert {(run.begins + timedelta(seconds=SECONDS_BEFORE)).hour for run in tried if run.zone == "UTC"} == {*range(24)}
    crossed = 0
    for run in tried:
        before = run.begins.astimezone(ZoneInfo(run.zone))
        after = (run.begins + timedelta(minutes=1)).astimezone(ZoneInfo(run.zone))
        crossed += before.utcoffset() != after.utcoffset()
    assert crossed == 4
