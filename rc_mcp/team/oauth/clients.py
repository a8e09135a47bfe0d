"""All MCP clients: those that publish a document about themselves, and older ones that register (RFC 7591)."""

import json
import re
from datetime import timedelta

from mcp.server.auth.provider import RegistrationError
from mcp.shared.auth import OAuthClientInformationFull

from rc_mcp.team.database import Database
from rc_mcp.team.oauth.addresses import SCOPE
from rc_mcp.team.oauth.client import Client, ClientRefused, client_of, is_document_url
from rc_mcp.team.oauth.client_documents import ClientDocuments

UNUSED_FOR = timedelta(hours=24)
"""A registration that no login used is forgotten after this."""
USED_WITHIN = timedelta(days=90)
"""A registration is forgotten when its last login is older than this."""
MOST_UNUSED = 10_000
"""Registrations that no login used, over all replicas. One more removes the oldest, so a client that registers without
end does not keep others out."""
MOST_CHARS = 8_192
UNKNOWN = "This app is not registered here, or was not used for too long. Remove this server from it and add it again."
_ID = re.compile(r"[0-9a-f-]{36}", re.ASCII)
"""The SDK gives a UUID to each client that registers."""


class Clients:
    """Clients from their documents and from the table of registrations."""

    def __init__(self, database: Database, documents: ClientDocuments) -> None:
        self._database = database
        self._documents = documents

    async def find(self, client_id: str) -> Client:
        """Return a client.

        Raises:
            ClientRefused: it is unknown, or its document cannot be used.
            DatabaseAway: the database cannot be used now.
        """
        if is_document_url(client_id):
            return await self._documents.read(client_id)
        if not _ID.fullmatch(client_id):
            raise ClientRefused(UNKNOWN)
        async with self._database.transaction() as db:
            found = await db.execute("SELECT metadata FROM oauth_client WHERE client_id = %s", (client_id,))
            row = await found.fetchone()
        if row is None:
            raise ClientRefused(UNKNOWN)
        return client_of(json.loads(row[0]), client_id)

    async def register(self, client: OAuthClientInformationFull) -> None:
        """Keep a registration. Change `client` to what was registered: a client without a secret.

        Raises:
            RegistrationError: it cannot be used.
            DatabaseAway: the database cannot be used now.
        """
        client.token_endpoint_auth_method, client.client_secret, client.client_secret_expires_at = "none", None, None
        client.grant_types, client.response_types = ["authorization_code", "refresh_token"], ["code"]
        client.scope = SCOPE
        uris = [str(uri) for uri in client.redirect_uris or []]
        metadata = {"client_name": client.client_name, "redirect_uris": uris}
        try:
            client_of(metadata, client.client_id)
        except ClientRefused as refused:
            raise RegistrationError("invalid_redirect_uri", str(refused)) from None
        text = json.dumps(metadata)
        if len(text) > MOST_CHARS:
            raise RegistrationError("invalid_client_metadata", "The registration is too long.")
        now = self._database.now()
        async with self._database.transaction_for_stranger() as db:
            await db.execute("SELECT pg_advisory_xact_lock(hashtext('rc_mcp.oauth_client'))")  # none is removed twice
            await db.execute(
                "INSERT INTO oauth_client (client_id, registered_at, metadata) VALUES (%s, %s, %s)",
                (client.client_id, now, text),
            )
            await db.execute(
                "DELETE FROM oauth_client WHERE client_id IN (SELECT client_id FROM oauth_client"
                " WHERE used_at IS NULL ORDER BY registered_at DESC OFFSET %s)",
                (MOST_UNUSED,),
            )

    async def was_used(self, client_id: str) -> None:
        """Note a login, so that the registration stays."""
        async with self._database.transaction() as db:
            await db.execute(
                "UPDATE oauth_client SET used_at = %s WHERE client_id = %s", (self._database.now(), client_id)
            )

    async def forget_unused(self) -> None:
        """Remove the registrations that no login uses."""
        now = self._database.now()
        async with self._database.transaction() as db:
            await db.execute(
                "DELETE FROM oauth_client WHERE coalesce(used_at, registered_at) < %s"
                " OR (used_at IS NULL AND registered_at < %s)",
                (now - USED_WITHIN, now - UNUSED_FOR),
            )
