"""A web server on this machine, over https, where clients publish documents about themselves."""

import asyncio
import json
import ssl
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from rc_mcp.team.oauth.public_fetch import IpAddress, fetch

REDIRECT = "https://client.example/callback"


@dataclass
class Documents:
    """The server: what it publishes, and what was asked for."""

    port: int
    trust: ssl.SSLContext
    answers: dict[str, tuple[str, bytes]] = field(default_factory=dict[str, tuple[str, bytes]])
    asked: list[str] = field(default_factory=list[str])
    copies: dict[str, str] = field(default_factory=dict[str, str])
    """Addresses elsewhere, and where their documents are served here instead."""

    def url(self, name: str) -> str:
        return f"https://localhost:{self.port}/{name}"

    def publish(self, name: str, *, headers: str = "", status: str = "200 OK", **changed: object) -> str:
        """Publish a document that is as it should be, but for what is changed; return its address."""
        own = {"client_id": self.url(name), "client_name": "Test app", "redirect_uris": [REDIRECT], **changed}
        return self.publish_bytes(name, json.dumps(own).encode(), headers=headers, status=status)

    def publish_for(self, url: str, name: str, redirect_uris: list[str]) -> None:
        """Publish the document of an address that a test cannot reach."""
        path = url.removeprefix("https://")
        self.copies[url] = self.publish(path, client_id=url, client_name=name, redirect_uris=redirect_uris)

    def publish_bytes(
        self, name: str, body: bytes, *, headers: str = "", status: str = "200 OK", kind: str = "application/json"
    ) -> str:
        """Publish any bytes; return their address."""
        self.answers[f"/{name}"] = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{headers}", body
        return self.url(name)

    async def fetch(self, url: str) -> tuple[bytes, Mapping[str, str]]:
        """Fetch as the site does, but from this machine."""
        return await fetch(self.copies.get(url, url), may_reach=_any, trust=self.trust)


@asynccontextmanager
async def serving_documents() -> AsyncGenerator[Documents]:
    """Serve until the block ends."""
    certificate, key = _certificate()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "server.pem"
        file.write_bytes(key + certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
    documents = Documents(0, ssl.create_default_context(cadata=certificate.decode()))
    server = await asyncio.start_server(partial(_answer, documents), "localhost", 0, ssl=context)
    documents.port = server.sockets[0].getsockname()[1]
    async with server:
        yield documents


async def _answer(documents: Documents, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    path = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1].decode()
    documents.asked.append(path)
    head, body = documents.answers.get(path, ("HTTP/1.1 404 Not Found\r\n", b""))
    writer.write(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
    await writer.drain()
    writer.close()


def _any(_: IpAddress) -> bool:
    return True


def _certificate() -> tuple[bytes, bytes]:
    """Return a certificate of `localhost` that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
