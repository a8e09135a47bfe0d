"""Run each agent framework against the running server, and the snippets for them: `make frameworks`.

Without names, all run and docs/reference/frameworks.md is written. It ends with code 1 if something that is wanted does
not hold and `table.py` does not list it as known, if something known holds by now, or if a snippet does not run.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from tempfile import gettempdir

import click

from bench.frameworks.calls import calls
from bench.frameworks.observing import Observed, observe
from bench.frameworks.page import PAGE, page
from bench.frameworks.running import client, mailbox
from bench.frameworks.snippets import LOCKS, Snippet, snippets, wrong
from bench.frameworks.table import FRAMEWORKS, SDK, Framework

AT_ONCE = 2


@click.command()
@click.argument("names", nargs=-1, type=click.Choice([framework.lock for framework in FRAMEWORKS]))
def main(names: tuple[str, ...]) -> None:
    """Run these frameworks, or all of them; only a run of all writes the page."""
    sent = calls()
    with mailbox() as at, client(SDK, at, Path(gettempdir()) / "rc-mcp-frameworks-tools.log") as running:
        published = running.tools
    sdk = observe(SDK, sent, None, published)

    def run(framework: Framework) -> Observed:
        seen = observe(framework, sent, sdk, published)
        click.echo("\n  ".join([f"{framework.name} {framework.version}", *lines(seen)]))
        return seen

    with ThreadPoolExecutor(AT_ONCE) as threads:
        seen = list(threads.map(run, [one for one in FRAMEWORKS if not names or one.lock in names]))
    if not names:
        PAGE.write_text(page(seen, sdk, f"{datetime.now(UTC):%Y-%m-%d}"), encoding="utf-8")
        click.echo(f"written into {PAGE.relative_to(PAGE.parents[2])}")
    broken = [run_snippet(one) for one in snippets() if not names or LOCKS[one.heading] in names]
    sys.exit(any(broken) or any(surprises(one) for one in [sdk, *seen]))


def run_snippet(snippet: Snippet) -> bool:
    """Run a snippet of the how-to page; return whether it is broken, and say so."""
    what = wrong(snippet)
    how = ", over HTTP" if snippet.over_http else ""
    click.echo(f"the snippet for {snippet.heading}{how}: {f'WRONG: {what}' if what else 'runs'}")
    return bool(what)


def lines(seen: Observed) -> list[str]:
    """Return what does not hold, and what is known not to hold but does."""
    known = seen.framework.known
    wrong = [
        "\n    ".join([f"{'known' if check in known else 'WRONG'}: {check}", *what])
        for check, what in seen.wrong.items()
    ]
    return wrong + [f"WRONG: {check} is known not to hold, but it does" for check in known if check not in seen.wrong]


def surprises(seen: Observed) -> bool:
    """Return whether something does not hold that is not known, or the reverse."""
    return seen.wrong.keys() != seen.framework.known.keys()


if __name__ == "__main__":
    main()
