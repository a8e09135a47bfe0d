"""The addresses of the authorization server, and the documents that announce them (RFC 8414, RFC 9728)."""

from dataclasses import dataclass

from mcp.shared.auth import OAuthMetadata
from pydantic import AnyHttpUrl, TypeAdapter

AUTHORIZE, CONSENT, TOKEN, REGISTER, REVOKE = "/authorize", "/consent", "/token", "/register", "/revoke"
FROM_RINGCENTRAL, LOGOUT = "/login/ringcentral", "/logout"
METADATA = "/.well-known/oauth-authorization-server"

SCOPE = "messages"
"""The only scope. What a person may do is decided by RingCentral, by the operator's access level and by the guard."""


@dataclass(frozen=True)
class Addresses:
    """Our addresses as people and their clients reach them.

    Args:
        public_url: the origin of the server. It is also the issuer, which clients compare letter by letter.
    """

    public_url: str

    def __post_init__(self) -> None:
        """Write the address as browsers and the SDK do: in small letters, without the usual port."""
        object.__setattr__(self, "public_url", str(web_url(self.public_url)).rstrip("/"))

    @property
    def issuer(self) -> str:
        return self.public_url

    @property
    def resource(self) -> str:
        """The address of MCP, which our tokens are for."""
        return f"{self.public_url}/mcp"

    @property
    def redirect_uri(self) -> str:
        """Where RingCentral sends the browser. The operator registers it for the app."""
        return f"{self.public_url}{FROM_RINGCENTRAL}"

    @property
    def is_https(self) -> bool:
        return self.public_url.startswith("https:")

    def is_ours(self, resource: str | None) -> bool:
        """Return whether tokens for this resource (RFC 8707) are for us; older clients name none."""
        return resource is None or resource.removesuffix("/") == self.resource

    def metadata(self) -> OAuthMetadata:
        """Return the metadata of the authorization server. Claude needs both `none` and client documents in it."""
        return OAuthMetadata(
            issuer=web_url(self.issuer),
            authorization_endpoint=web_url(self.public_url + AUTHORIZE),
            token_endpoint=web_url(self.public_url + TOKEN),
            registration_endpoint=web_url(self.public_url + REGISTER),
            revocation_endpoint=web_url(self.public_url + REVOKE),
            scopes_supported=[SCOPE],
            response_types_supported=["code"],
            response_modes_supported=["query"],
            grant_types_supported=["authorization_code", "refresh_token"],
            token_endpoint_auth_methods_supported=["none"],
            revocation_endpoint_auth_methods_supported=["none"],
            code_challenge_methods_supported=["S256"],
            client_id_metadata_document_supported=True,
            authorization_response_iss_parameter_supported=True,
        )


def web_url(url: str) -> AnyHttpUrl:
    """Return the address as the SDK's models have it; they keep an empty path empty."""
    return _URL.validate_python(url)


_URL = TypeAdapter(AnyHttpUrl, config={"url_preserve_empty_path": True})
