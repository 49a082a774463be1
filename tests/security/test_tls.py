"""Certificates are checked, tokens need TLS, and an upgrade is not redirected."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from convex_async import ConvexClient, TransportError


def self_signed(folder: Path) -> tuple[Path, Path]:
    """The files of a certificate for 127.0.0.1, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "self-signed")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = serialization.PrivateFormat.PKCS8
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(pem))
    paths[1].write_bytes(key.private_bytes(pem, private, serialization.NoEncryption()))
    return paths


async def serve(answer: int | None = None, heard: list[object] | None = None) -> TestServer:
    """Takes every socket, or answers every upgrade with this status.

    Args:
        heard: what comes on the sockets.
    """

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        message = await socket.receive()
        if heard is not None and message.type is aiohttp.WSMsgType.TEXT:
            heard.append(message.data)
        return socket

    async def sync(request: web.Request) -> web.StreamResponse:
        if answer is not None:
            return web.Response(status=answer, headers={"Location": "/elsewhere"})
        return await elsewhere(request)

    app = web.Application()
    app.router.add_get("/api/sync", sync)
    app.router.add_get("/elsewhere", elsewhere)
    return TestServer(app)


async def test_a_self_signed_certificate_is_refused_unless_it_is_trusted(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own.load_cert_chain(certificate, key)
    server = await serve()
    await server.start_server(ssl=own)
    url = f"https://127.0.0.1:{server.port}"
    async with ConvexClient(url, auth="a.b.c") as client:
        with pytest.raises(TransportError, match=r"certificate verify failed: self-signed"):
            await client.connect()
        assert "certificate" in (client.state.last_close_reason or "")
    trusting = ssl.create_default_context(cafile=certificate)
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting)) as session,
        ConvexClient(url, auth="a.b.c", session=session, close_timeout=0) as client,
    ):
        await client.connect()
        assert client.state.is_connected
    await server.close()


@pytest.mark.parametrize("status", [400, 401, 503])
async def test_a_refused_upgrade_is_an_error_and_in_the_state(status: int) -> None:
    server = await serve(status)
    await server.start_server()
    async with ConvexClient(str(server.make_url(""))) as client:
        with pytest.raises(TransportError, match=str(status)):
            await client.connect()
        assert str(status) in (client.state.last_close_reason or "")
        assert client.state.connection_count == 0
    await server.close()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_an_upgrade_is_not_redirected(status: int) -> None:
    heard: list[object] = []
    server = await serve(status, heard)
    await server.start_server()
    async with ConvexClient(str(server.make_url("")), auth="a.b.c") as client:
        with pytest.raises(TransportError, match="redirects to ws://127"):
            await client.connect()
        assert "redirects" in (client.state.last_close_reason or "")
        assert client.state.connection_count == 0
    await server.close()
    assert heard == []
