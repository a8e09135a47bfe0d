"""Injected faults: which requests fail, how, and how often. `misbehave.py` carries them out.

    emulator.faults.inject("drop", operation="deleteMessage", acted=True)

A request meets at most one fault: the oldest that matches it.
"""

from typing import Literal, TypedDict, Unpack

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rc_mcp.emulator.vocabulary import OperationName

FaultKind = Literal[
    "latency",
    "rate_limit",
    "server_error",
    "gateway",
    "drop",
    "truncate",
    "malformed",
    "stall",
    "fax_in_progress",
    "token_revoked",
]
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

_OWN_OPTIONS = {
    "latency": {"acted", "seconds"},
    "server_error": {"acted", "retry_after_s", "status"},
    "gateway": {"acted"},
    "drop": {"acted"},
    "stall": {"acted"},
    "malformed": {"body"},
}


class Fault(BaseModel):
    """One fault. The default `operation` and `method` match any request; `times=None` means until cleared.

    With `acted`, the request is carried out before the fault occurs: a client must then check the state before a retry.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: FaultKind
    operation: OperationName | None = None
    method: Method | None = None
    times: int | None = Field(1, ge=1)
    acted: bool = False
    seconds: float = Field(1, gt=0, le=86_400, allow_inf_nan=False)
    status: int = Field(503, ge=500, le=599)
    retry_after_s: int | None = Field(None, ge=0, le=86_400)
    body: Literal["json", "html"] = "json"

    @model_validator(mode="after")
    def _has_only_options_of_its_kind(self) -> "Fault":
        options = self.model_fields_set - {"kind", "operation", "method", "times"}
        if unknown := sorted(options - _OWN_OPTIONS.get(self.kind, set())):
            raise ValueError(f"{', '.join(unknown)}: not an option of {self.kind}")
        return self

    @property
    def lets_act(self) -> bool:
        """Whether the request is carried out, before or after the fault."""
        return self.acted or self.kind not in {"server_error", "gateway", "drop", "stall"}

    def fits(self, operation: str, method: str) -> bool:
        return self.operation in {None, operation} and self.method in {None, method}


class FaultOptions(TypedDict, total=False):
    operation: OperationName | None
    method: Method | None
    times: int | None
    acted: bool
    seconds: float
    status: int
    retry_after_s: int | None
    body: Literal["json", "html"]


class Faults:
    """The active faults. `active` is a copy, by id."""

    def __init__(self) -> None:
        self._active: dict[int, Fault] = {}
        self._last_id = 0

    @property
    def active(self) -> dict[int, Fault]:
        return dict(self._active)

    def inject(self, kind: FaultKind, **options: Unpack[FaultOptions]) -> int:
        """Inject a fault and return its id. Raises ValueError for invalid options."""
        return self.add(Fault.model_validate({"kind": kind, **options}))

    def add(self, fault: Fault) -> int:
        self._last_id += 1
        self._active[self._last_id] = fault
        return self._last_id

    def clear(self, fault_id: int | None = None) -> None:
        """Remove one fault, or all. A fault that is already used up is not an error."""
        self._active = {} if fault_id is None else {i: f for i, f in self._active.items() if i != fault_id}

    def take(self, operation: str, method: str) -> Fault | None:
        """Return the fault for this request, if any, and use it once."""
        for fault_id, fault in self._active.items():
            if fault.fits(operation, method):
                if fault.times == 1:
                    del self._active[fault_id]
                elif fault.times is not None:
                    self._active[fault_id] = fault.model_copy(update={"times": fault.times - 1})
                return fault
        return None
