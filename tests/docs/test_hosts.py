"""What the documentation says about hosts is made from tests/hosts/hosts.toml. Running this file writes the page."""

import re
import textwrap
from pathlib import Path

import pytest

from rc_mcp.cli.install.hosts import HOSTS
from tests.hosts.table import TABLE, Host
from tests.team.oauth import test_hosts_log_in

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "hosts.md"
RENEW = "renew it with: make docs"

_PAGE = """\
# Hosts

<!-- made from tests/hosts/hosts.toml by `make docs` -->
What each host offers and shows, as known on {date}. A number names the source, below; ? is unknown. A test replays
what each says at its first contact against the server, in both generations of the protocol: each reaches a delete that
its user approves, and a fax that it can read. With `RC_MCP_APPROVAL=human` no model deletes anything without its user.

{table}
The server takes the way that the host offers at its first contact, and says which it is:

- **Questions: yes.** The host asks its user: a checkbox, or for a permanent change a phrase to type.
- **Otherwise** the answer is a plan with a preview, and its field `approve_in` says where to approve it.
  - In the `app`, where the host shows MCP Apps: on the [inbox page](../how-to/look-and-decide.md), with a button. This
    is enough for what can be undone, unless `RC_MCP_APPROVAL=human`. Cursor gets no button: its model sees what is for
    the page alone.
  - In the `browser`, with `RC_MCP_APPROVAL_PAGE=on`: on the same page, which the server opens. Also permanent changes.
  - In the `terminal`: the user runs `rc-mcp approvals approve PLAN`. Also permanent changes.
  - In the `chat`, without any of these and for what can be undone: the assistant calls again with the plan, and its
    word is the only approval.

The server does not use URL questions (addresses that a host opens for its user). A fax comes as text first where its
text can be read; otherwise its pages come as pictures, which only some hosts hand to their model.

## Sources
{sources}
"""


def page() -> str:
    """Return the whole page."""
    numbers = {key: n for n, key in enumerate(TABLE.sources, 1)}

    def cell(answer: tuple[str, str]) -> str:
        said, source = answer
        return f"{said} [{numbers[source]}]" if source in numbers else said

    headings = (
        "host",
        "protocol",
        "questions",
        "URL questions",
        "apps",
        "resources",
        "prompts",
        "pictures to the model",
    )
    rows = [(f"{host.title} {host.version}", *map(cell, host.answers().values())) for host in TABLE.hosts]
    lines = [headings, ("---",) * len(headings), *rows]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    sources = "\n".join(f"{numbers[key]}. {text}" for key, text in TABLE.sources.items())
    return _PAGE.format(date=TABLE.date, table=table, sources=sources)


def sentence() -> str:
    """Return the README's sentences about the hosts that can show questions."""
    asked = [host for host in TABLE.hosts if host.form[0] == "yes"]
    offer, document = ([h for h in asked if (h.know == "recorded") is seen] for seen in (True, False))
    cannot = [host for host in TABLE.hosts if host.form[0] == "no"]
    unknown = [host for host in TABLE.hosts if host.form[0] == "?"]
    said = (
        f"As of {TABLE.date:%B %Y} {_names(offer)} offer to show questions (by documentation also {_names(document)}); "
        f"{_names(cannot)} do not; of {_names(unknown)} we know no handshake "
        "([each with its source](docs/reference/hosts.md))."
    )
    return textwrap.indent("\n".join(textwrap.wrap(said, 118, break_on_hyphens=False)), "  ") + "\n  "


def _names(hosts: list[Host]) -> str:
    *first, last = [host.title for host in hosts]
    return f"{', '.join(first)} and {last}" if first else last


def test_the_page_about_hosts_is_made_from_their_handshakes() -> None:
    assert PAGE.read_text("utf-8") == page(), RENEW


def test_every_host_that_install_knows_is_in_the_table() -> None:
    rows = " ".join(host.title for host in TABLE.hosts)
    assert [host.title for host in HOSTS.values() if host.title not in rows] == []


def test_no_other_sentence_says_which_host_shows_questions() -> None:
    titles = [host.title for host in TABLE.hosts]
    for file in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        text = re.sub(r"<!-- hosts: .*?<!-- /hosts -->", "", file.read_text("utf-8"), flags=re.DOTALL)
        sentences = re.split(r"(?<=[.!?])\s+", " ".join(text.split())) if file != PAGE else []
        claims = [s for s in sentences if "show" in s and "question" in s and any(title in s for title in titles)]
        assert claims == [], file


@pytest.mark.parametrize("host", test_hosts_log_in.HOSTS, ids=lambda host: host.title)
def test_the_page_for_a_team_has_the_commands_that_log_in(host: test_hosts_log_in.Host) -> None:
    text = (ROOT / "docs/how-to/run-for-a-team.md").read_text("utf-8")
    assert f"`{host.add.format(url='https://messages.example.com/mcp')}`" in text
    assert all(command in text for command in re.findall("mcp (?:login|auth) messages", host.log_in))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
