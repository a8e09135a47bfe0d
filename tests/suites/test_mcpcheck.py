"""mcpcheck: what 2026-07-28 demands of a server over HTTP."""

from tests.suites.conftest import Judge


def test_it_passes_every_check_without_a_warning(judge: Judge, address: str) -> None:
    ran = judge("mcpcheck.__main__", address, "--legacy-probes", "--probe", "all", "--strict")
    assert ran.returncode == 0, ran.stderr
