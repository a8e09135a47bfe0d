"""The request log: one entry per request that reached the emulator, with its answer's status."""

from dataclasses import dataclass
from datetime import datetime

from starlette.datastructures import QueryParams

from rc_mcp.emulator.service.faults import FaultKind

_SECRETS = {"access_token", "assertion", "client_secret", "code", "code_verifier", "password", "refresh_token", "token"}


@dataclass(frozen=True)
class SeenRequest:
    """A logged request. `method` is the tunneled method, if any.

    `fault` is the kind of the fault it met. `status` is 0 if the fault left it without an answer.
    """

    entry_point: str
    method: str
    path: str
    query: QueryParams
    status: int
    time: datetime
    fault: FaultKind | None = None

    def query_without_secrets(self) -> list[tuple[str, str]]:
        return [(name, "hidden" if name.lower() in _SECRETS else value) for name, value in self.query.multi_items()]
