"""An emulated RingCentral Message Store: an ASGI app over SQLite that follows the real service's rules.

It replaces RingCentral's retired sandbox in tests, demos and trials. It is based on the API's documentation and on
saved answers of the real service. It shares no code with this project's client, so that one misreading of the API
cannot hide on both sides.
"""

from rc_mcp.emulator.clock import Clock
from rc_mcp.emulator.emulator import Emulator
from rc_mcp.emulator.login.identity import User
from rc_mcp.emulator.mailbox.new_message import Draft, File, Owner
from rc_mcp.emulator.mailbox.people import Party
from rc_mcp.emulator.service.faults import Fault
from rc_mcp.emulator.service.request_log import SeenRequest

__all__ = ["Clock", "Draft", "Emulator", "Fault", "File", "Owner", "Party", "SeenRequest", "User"]
