"""The authorization server of a team: each person logs in at RingCentral, and their MCP client gets tokens of ours.

A client never sees a token of RingCentral. `AuthorizationServer` issues and checks ours; `routes` has its addresses.
"""

from rc_mcp.team.oauth.addresses import SCOPE, Addresses
from rc_mcp.team.oauth.authorization_server import AuthorizationServer
from rc_mcp.team.oauth.away import SaysWhenAway
from rc_mcp.team.oauth.grants import PersonsToken
from rc_mcp.team.oauth.routes import routes

__all__ = ["SCOPE", "Addresses", "AuthorizationServer", "PersonsToken", "SaysWhenAway", "routes"]
