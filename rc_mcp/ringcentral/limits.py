"""Every number the client holds itself to, in one table.

The API's own limits are from RingCentral's API reference and its guide to bulk requests; the rest are ours.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """One value per limit; each name ends in its unit."""

    ids_per_path: int = 50
    """The API's, for message ids in a path and conversation ids in a query (CMN-106 above it)."""
    ids_per_body: int = 1000
    """The API's, stated for PUT through `*`; nothing is published for PATCH, which we hold to the same."""
    records_per_page: int = 1000
    """The API's. It clamps a larger `perPage` without a word; we refuse it."""
    default_frame_h: int = 24
    """The API's, for a list or a sync without `dateFrom`."""
    min_retention_days: int = 7
    max_retention_days: int = 90
    filter_values: int = 50
    """Ours, for each filter of a list or a sync."""
    text_chars: int = 1024
    """Ours, for a free text in a query. A sync token has some 70 characters."""
    file_name_chars: int = 255
    error_text_chars: int = 300
    """Ours: how much of a server's text may enter an error."""
    error_body_bytes: int = 65_536
    """Ours: how much of an error's body is read at all."""
    resumptions: int = 5
    """Ours: how often one download goes on after its connection broke."""
    write_bytes: int = 1024 * 1024
    """Ours: a download is written in pieces of about this size, each in another thread."""
    answer_bytes: int = 64 * 1024 * 1024
    """Ours, for one JSON answer. A page of 1,000 messages is near 2 MB."""
    multipart_bytes: int = 4 * 1024 * 1024
    """Ours, for a `multipart/mixed` one. Nothing else can run while it is read, a second for these bytes; with 1,000
    messages it is near 2 MB."""
    answer_s: float = 60.0
    """Ours, for the head of any answer, and again for the body of a JSON one or of a login's, however steadily they
    drip. The body of an attachment has no such end."""
    login_bytes: int = 65_536
    """Ours: how much of a token endpoint's answer is read. It has some 2,000 bytes."""
    token_renewal_s: float = 60.0
    """Ours: a token is renewed this long before it expires."""
    login_pause_s: float = 60.0
    """Ours, equal to RingCentral's penalty: how long a refused login is not repeated (5 a minute are allowed)."""
    outage_pause_s: float = 10.0
    """From the guide: how long to wait before a login is repeated that met a 5xx."""
    token_lifetime_s: float = 86_400.0
    """Ours: a token is renewed at least this often, whatever lifetime it came with. RingCentral's is an hour."""
    retry_after_s: float = 60.0
    """RingCentral's default penalty, for a 429 that does not say how long."""
    max_retry_after_s: float = 3600.0
    """Ours: the longest wait an answer is believed, and the longest window."""
    rate_window_s: float = 60.1
    """RingCentral's window of a minute and the margin below."""
    rate_margin_s: float = 0.1
    """Ours, on top of the window that RingCentral tells: its clock is not ours."""
    attempts: int = 4
    """Ours: how often one request is sent at most, where it may be repeated. The guide says three times after a 5xx."""
    backoff_s: float = 0.5
    """Ours: the wait before the first repetition; each further one is twice as long."""
    max_backoff_s: float = 8.0
    change_begins_s: float = 15.0
    """Ours: of an `Allowance`, so much has to be left when a change is sent."""
    read_back_s: float = 5.0
    """Ours: of that, so much is kept for reading back."""
    retry_total_s: float = 150.0
    """Ours: no request is repeated later than this after its first failure. Room for two penalties."""


LIMITS = Limits()
