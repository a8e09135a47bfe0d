"""Fixtures of the copy's tests."""

from collections.abc import Callable, Generator
from datetime import UTC, timedelta
from pathlib import Path

import pytest

from rc_mcp.mirror.mirror import Mirror
from rc_mcp.mirror.search import MAX_LIMIT, search
from tests.mirror.messages import START

Ids = Callable[[str], list[str]]
MAILBOX = 1


@pytest.fixture
def mirror(tmp_path: Path) -> Generator[Mirror]:
    """An empty copy with one mailbox, which has the number 1."""
    with Mirror(tmp_path) as mirror:
        assert mirror.mailbox("~", "~") == MAILBOX
        yield mirror


@pytest.fixture
def ids(mirror: Mirror) -> Ids:
    """Returns the ids that a query finds, newest first."""

    def found(query: str) -> list[str]:
        page = search(mirror, MAILBOX, query, START + timedelta(days=1), UTC, limit=MAX_LIMIT)
        return [hit.message.id for hit in page.hits]

    return found


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder for a copy."""
    folder = tmp_path / "copy"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def without_ocr(monkeypatch: pytest.MonkeyPatch) -> None:
    """OCR takes seconds for each page. The test of OCR itself switches it on again."""
    monkeypatch.setattr("rc_mcp.mirror.texts.has_ocr", lambda: False)
