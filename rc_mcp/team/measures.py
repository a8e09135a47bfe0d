"""What a replica measures, with the names of OpenTelemetry's conventions for MCP and HTTP where there are any.

Only words of a fixed list become attributes, and nothing is measured by person, tenant or address. Without
`telemetry.start`, measuring does nothing.
"""

from collections.abc import Collection, Generator
from contextlib import contextmanager

from opentelemetry.metrics import get_meter

from rc_mcp import __version__
from rc_mcp.ringcentral.transport.budgets import ASSUMED

OTHER = "_OTHER"
"""What the conventions write for a word that is on no list."""
GROUPS = frozenset(ASSUMED)

_meter = get_meter("rc_mcp", __version__)
# The limits of the buckets are those that the conventions advise.
operations = _meter.create_histogram(
    "mcp.server.operation.duration",
    "s",
    "Duration of an MCP request or notification, from its arrival until its result is sent.",
    explicit_bucket_boundaries_advisory=[0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300],
)
requests = _meter.create_histogram(
    "http.client.request.duration",
    "s",
    "Duration of a request to RingCentral, until the head of its answer.",
    explicit_bucket_boundaries_advisory=[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
)
_waits = _meter.create_histogram(
    "rc_mcp.rate_limit.wait.duration",
    "s",
    "How long a request to RingCentral waited for its place within the rate limit.",
    explicit_bucket_boundaries_advisory=[0.01, 0.1, 0.5, 1, 2, 5, 10, 20, 30, 60],
)
changes = _meter.create_counter("rc_mcp.changes", "{change}", "Answers of tools that change messages, by status.")
_logins = _meter.create_counter("rc_mcp.logins", "{login}", "Logins of people at RingCentral, by outcome.")
_database_errors = _meter.create_counter(
    "rc_mcp.database.errors", "{error}", "Transactions that the team's database did not carry out."
)


def waited(group: str, wait_s: float) -> None:
    """Note that a request waited for its place in this rate limit group."""
    _waits.record(wait_s, {"rc_mcp.rate_limit.group": known(group, GROUPS)})


@contextmanager
def login() -> Generator[None]:
    """Count the login at RingCentral that ends within the block."""
    outcome = "failed"
    try:
        yield
        outcome = "done"
    finally:
        _logins.add(1, {"rc_mcp.login.outcome": outcome})


def database_failed(error: Exception) -> None:
    """Count a transaction that failed."""
    _database_errors.add(1, {"error.type": type(error).__name__})


def known(word: object, words: Collection[str]) -> str:
    """Return the word if it is one of these."""
    return word if isinstance(word, str) and word in words else OTHER
