"""An embedded RingCentral Message Store: an ASGI app over SQLite that keeps the real service's rules.

RingCentral retired its sandbox; this stands in for it in tests, demos and trials. It knows the API from its
documentation alone and shares nothing with the client in this project, so that one misreading cannot hide on
both sides.
"""

from rc_mcp.emulator.clock import Clock
from rc_mcp.emulator.drafts import Draft
from rc_mcp.emulator.emulator import Emulator
from rc_mcp.emulator.faults import Fault
from rc_mcp.emulator.identity import User
from rc_mcp.emulator.people import Party
from rc_mcp.emulator.seen import SeenRequest

__all__ = ["Clock", "Draft", "Emulator", "Fault", "Party", "SeenRequest", "User"]
