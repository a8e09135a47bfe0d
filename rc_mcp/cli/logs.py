"""Logging to stderr as plain lines; untrusted text in them cannot control the terminal."""

import logging
import re

_ACTING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


class _Harmless(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return _ACTING.sub(
            lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), super().format(record)
        )


def log_to_stderr() -> None:
    """Replace the SDK's logging, which draws boxes around tracebacks."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Harmless("rc-mcp: %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
