"""The pages on safety and on the policy file: their example is the one that runs, and the tests they name exist."""

import ast
import re
from pathlib import Path

import pytest

from rc_mcp.guard.policy.policy_file import load_policy
from rc_mcp.guard.policy.rules import PolicyLimits, Rule

ROOT = Path(__file__).parents[2]
SAFETY, POLICY = ROOT / "docs/safety.md", ROOT / "docs/policy.md"
EXAMPLE = ROOT / "examples/policy.toml"
_FENCE = re.compile(r"(<!-- example: policy\.toml -->\n```toml\n)(.*?)(```)", re.DOTALL)


def renew() -> None:
    """Write the example into the page on it."""
    page, example = POLICY.read_text("utf-8"), EXAMPLE.read_text("utf-8")
    POLICY.write_text(_FENCE.sub(lambda found: f"{found[1]}{example}{found[3]}", page), encoding="utf-8")


def test_the_example_of_a_policy_is_the_file_that_runs() -> None:
    found = _FENCE.search(POLICY.read_text("utf-8"))
    assert found is not None
    assert found[2] == EXAMPLE.read_text("utf-8"), "renew it with: python -m tests.docs.test_policy_and_safety"
    assert load_policy(EXAMPLE).protects_anybody


def test_every_line_of_a_policy_is_explained() -> None:
    page = POLICY.read_text("utf-8")
    assert [name for name in (*Rule.model_fields, *PolicyLimits.model_fields) if f"`{name}`" not in page] == []


def test_every_test_the_page_on_safety_names_is_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", SAFETY.read_text("utf-8"))
    assert len(named) >= 20
    for file, test in named:
        tree = ast.parse((ROOT / file).read_text("utf-8"))
        assert test in {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}, test


@pytest.mark.parametrize("page", [SAFETY, POLICY, ROOT / "SECURITY.md"], ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]*)(?:#([^)]*))?\)", page.read_text("utf-8"))
    assert links
    for file, place in links:
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), file
        if place:
            headings = re.findall(r"^#+ (.*)$", target.read_text("utf-8"), re.MULTILINE)
            assert place in {re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in headings}, place


if __name__ == "__main__":
    renew()
