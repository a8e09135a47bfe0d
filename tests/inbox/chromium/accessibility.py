"""axe-core, an accessibility checker that is not ours, run in a page."""

from typing import Any

from playwright.async_api import Frame

from tests.inbox.chromium.app_host import packages

GRAVE = {"serious", "critical"}
RUN = "async () => (await axe.run(document, { resultTypes: ['violations'] })).violations"


async def grave_findings(view: Frame) -> list[str]:
    """Return the findings of axe in this frame that it calls serious or critical."""
    await view.evaluate((packages() / "node_modules/axe-core/axe.min.js").read_text("utf-8"))
    found: list[dict[str, Any]] = await view.evaluate(RUN)
    return [
        f"{violation['id']} ({violation['impact']}): {node['html'][:200]} {node['failureSummary']}"
        for violation in found
        if violation["impact"] in GRAVE
        for node in violation["nodes"]
    ]
