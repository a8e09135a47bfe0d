from datetime import UTC, datetime, timedelta

import pytest

from rc_mcp.inbox.reading import gaps
from rc_mcp.mirror.progress import FeedProgress
from rc_mcp.mirror.search import Coverage

NOW = datetime(2026, 11, 24, tzinfo=UTC)
WHOLE = Coverage(messages=9, date_from=None, synced_at=None, contents_missing=0, contents_unreadable=0)


@pytest.mark.parametrize(
    ("progress", "reasons"),
    [
        (FeedProgress(sync_token="t", synced_at=NOW), 0),
        (FeedProgress(), 1),
        (FeedProgress(sync_token="t", synced_at=None), 1),
        (FeedProgress(sync_token="t", synced_at=NOW - timedelta(hours=1)), 1),
        (FeedProgress(sync_token="t", synced_at=NOW, unreadable=2), 1),
        (FeedProgress(unreadable=2), 2),
    ],
)
def test_a_search_names_each_reason_why_a_message_may_be_missing(progress: FeedProgress, reasons: int) -> None:
    assert len(list(gaps(WHOLE, progress, NOW))) == reasons


def test_a_search_counts_the_texts_that_it_lacks() -> None:
    lacking = Coverage(messages=9, date_from=None, synced_at=None, contents_missing=1, contents_unreadable=2)
    (reason,) = gaps(lacking, FeedProgress(sync_token="t", synced_at=NOW), NOW)
    assert "3" in reason
