"""A process that fills the copy is killed (kill -9) in the middle of a page: the copy has whole pages only."""

import subprocess
import sys
from datetime import UTC
from pathlib import Path

import pytest

from rc_mcp.mirror.mirror import Mirror
from rc_mcp.mirror.search import search
from tests.mirror.messages import START

PAGE = 40

# Says which page it is about to put. Each page also erases a message of the page before, and adds a text.
FEED = f"""
import sys
from pathlib import Path
from rc_mcp.mirror.mirror import Mirror
from tests.mirror.messages import fax
with Mirror(Path(sys.argv[1])) as mirror:
    mailbox = mirror.mailbox("~", "~")
    page = int(mirror.progress(mailbox).get("page", -1))
    while True:
        page += 1
        print(page, flush=True)
        first = page * {PAGE}
        text = f"page{{page}} " + "word " * 200
        records = [fax(n, minutes=-n, coverPageText=text) for n in range(first, first + {PAGE})]
        if page:
            records.append(fax(first - 1, availability="Purged"))
        mirror.put(mailbox, records, {{"page": str(page)}})
"""


@pytest.mark.process
def test_after_a_kill_the_copy_has_whole_pages_and_the_feed_goes_on(tmp_path: Path) -> None:
    seen = 0
    for pages, bytes_more in [(1, 0), (3, 0), (1, 1), (2, 0), (4, 1), (1, 0), (2, 2), (5, 0)]:
        command = [sys.executable, "-c", FEED, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as feed:
            assert feed.stdout is not None
            begun = [int(feed.stdout.readline()) for _ in range(pages)][-1]
            feed.stdout.read(bytes_more)  # a little later, so that other moments are met
            feed.kill()
        with Mirror(tmp_path) as mirror:
            assert not mirror.was_damaged
            mailbox = mirror.mailbox("~", "~")
            page = int(mirror.progress(mailbox).get("page", -1))
            assert page >= begun - 1 >= seen - 1
            seen = page + 1
            assert mirror.status(mailbox).messages == seen * PAGE - max(page, 0)
            for n in {max(page, 0), page + 1}:
                found = search(mirror, mailbox, f"page{n}", START, UTC, limit=1)
                assert found.total == (PAGE if n == page else 0)
    assert seen > 8
