"""CONTRIBUTING.md: the map of the code names files that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("rc_mcp", "tests", "bench", "release", "docs", "examples", "prompts")


def test_each_file_that_the_map_names_exists() -> None:
    files = [f"/{path.relative_to(ROOT)}" for room in ROOMS for path in (ROOT / room).rglob("*.*")]
    files += [f"/{path.name}" for path in ROOT.iterdir()]
    named = set(re.findall(r"[\w./-]+\.(?:py|html|toml|md)\b", (ROOT / "CONTRIBUTING.md").read_text("utf-8")))
    assert len(named) > 50
    assert [name for name in sorted(named) if not any(file.endswith(f"/{name}") for file in files)] == []
