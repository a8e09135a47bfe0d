"""mcpcheck: what 2026-07-28 demands of a server over HTTP."""

import re

from tests.suites.conftest import Judge

# What it gives is pictures, sound and files as well: content of kinds that no schema of the structure describes.
EXPECTED = ["tool:read_message_content: no outputSchema"]


def test_it_passes_every_check_without_a_warning_we_do_not_expect(judge: Judge, address: str) -> None:
    ran = judge("mcpcheck.__main__", address, "--legacy-probes", "--probe", "all")
    assert ran.returncode == 0, ran.stderr
    assert "inconclusive" not in ran.stdout
    assert re.findall(r"^ +! ([^(]+?) \(", ran.stdout, re.MULTILINE) == EXPECTED
