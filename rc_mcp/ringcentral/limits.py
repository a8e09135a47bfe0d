"""All limits of the client in one table.

The API's limits are from RingCentral's API reference and its guide to bulk requests; the others are ours.
"""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Limits:
    """One value per limit; each name ends in its unit."""

    ids_per_path: int = 50
    """The API's, for message ids in a path and conversation ids in a query (CMN-106 above it)."""
    ids_per_body: int = 1000
    """The API's, published for PUT through `*`; applied to PATCH too, for which none is published."""
    records_per_page: int = 1000
    """The API's. It silently lowers a larger `perPage`; we refuse it."""
    default_frame_h: int = 24
    """The API's default for a list or a sync without `dateFrom`."""
    min_retention_days: int = 7
    max_retention_days: int = 90
    filter_values: int = 50
    """Ours, for each filter of a list or a sync."""
    text_chars: int = 1024
    """Ours, for a free text in a query. A sync token has some 70 characters."""
    file_name_chars: int = 255
    error_text_chars: int = 300
    """Ours: the length of a server's text in an error."""
    error_body_bytes: int = 65_536
    """Ours: how much of an error's body is read."""
    resumptions: int = 5
    """Ours: how often one download resumes after a broken connection."""
    write_bytes: int = 1024 * 1024
    """Ours: a download is written in pieces of about this size, each in another thread."""
    answer_bytes: int = 64 * 1024 * 1024
    """Ours, for one JSON answer. A page of 1,000 messages has about 2 MB."""
    multipart_bytes: int = 4 * 1024 * 1024
    """Ours, for a `multipart/mixed` answer. Parsing this many bytes blocks the event loop for a second; 1,000 messages
    have about 2 MB."""
    socket_s: float = 30.0
    """Ours: the default `timeout_s` of the client."""
    answer_s: float = 60.0
    """Ours: the total time for the head of any answer, and again for the body of a JSON or login answer. The body of an
    attachment has no such limit."""
    login_bytes: int = 65_536
    """Ours: how much of a token endpoint's answer is read. It has about 2,000 bytes."""
    token_renewal_s: float = 60.0
    """Ours: a token is renewed this long before it expires."""
    login_pause_s: float = 60.0
    """Ours, equal to RingCentral's penalty: how long a refused login is not repeated (5 a minute are allowed)."""
    outage_pause_s: float = 10.0
    """From the guide: the wait before a login is repeated after a 5xx."""
    login_lock_s: float = 60.0
    """Ours: the wait for another process that uses the login; longer than one request to RingCentral takes."""
    leaves_within_s: float = 5.0
    """Ours: a request in `at_once` that could only leave later, because of a login, is not sent."""
    token_lifetime_s: float = 86_400.0
    """Ours: the longest lifetime of a token that is believed. RingCentral's tokens live an hour."""
    retry_after_s: float = 60.0
    """RingCentral's default penalty, for a 429 that does not say how long."""
    max_retry_after_s: float = 3600.0
    """Ours: the longest wait and the longest window that are believed."""
    rate_window_s: float = 60.1
    """RingCentral's window of one minute, plus the margin below."""
    rate_margin_s: float = 0.1
    """Ours, added to the window that RingCentral states: the clocks differ."""
    attempts: int = 4
    """Ours: how often a request is sent at most. The guide says three times after a 5xx."""
    backoff_s: float = 0.5
    """Ours: the wait before the first retry; it doubles for each further one."""
    max_backoff_s: float = 8.0
    change_begins_s: float = 15.0
    """Ours: the time of an `Allowance` that must be left when a change is sent."""
    read_back_s: float = 5.0
    """Ours: the part of that time reserved for reading the messages again."""
    retry_total_s: float = 150.0
    """Ours: the time after the first failure in which a request is retried. It allows for two penalties."""


LIMITS = Limits()

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
"""Ours: `dateFrom` for all messages. RingCentral's service is younger; without a beginning it lists one day."""
