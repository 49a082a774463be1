"""`convex-async doctor` against a real instance of each trouble."""

from __future__ import annotations

import http.server
import ipaddress
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from convex_async.testing import ServedDeployment
from tests.cli.commands import run


def test_all_is_well(served: ServedDeployment) -> None:
    token = served.issue_token("ada")
    ran = run("doctor", "--url", served.url, CONVEX_AUTH_TOKEN=token)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for name in ("URL", "DNS", "port", "HTTP", "clock", "WebSocket", "token", "credentials"):
        assert f"ok    {name}: " in ran.stdout
    assert token not in ran.stdout + ran.stderr


@contextmanager
def answering(
    headers: Mapping[str, str], status: int = 200, trust: ssl.SSLContext | None = None
) -> Iterator[str]:
    """The URL of a web server that says a version to every GET, with these headers."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_socket = self.headers.get("Upgrade") == "websocket"
            self.send_response_only(404 if is_socket else status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "7")
            self.end_headers()
            self.wfile.write(b"unknown")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if trust is not None:
            # The handshake is the connection's own thread's: one that fails ends nothing else.
            server.socket = trust.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http{'s' if trust else ''}://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def wrong(ran: str, name: str) -> tuple[str, str]:
    """What a check saw that is wrong, and the remedy."""
    lines = ran.splitlines()
    (at,) = (n for n, line in enumerate(lines) if line.startswith(f"WRONG {name}: "))
    assert lines[at + 1].startswith("      ")
    return lines[at].partition(": ")[2], lines[at + 1].strip()


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("http://127.0.0.1:1", "WRONG port: 127.0.0.1:1"),
        ("https://happy-animal-123.convex.site", "WRONG URL: "),
        ("http://no.such.host.invalid", "WRONG DNS: no.such.host.invalid"),
    ],
)
def test_wrong_places(url: str, line: str) -> None:
    ran = run("doctor", "--url", url)
    assert ran.returncode == 1
    assert line in ran.stdout
    assert ran.stdout.splitlines()[-1].startswith("      ")  # the remedy


def test_another_server() -> None:
    with answering({}, status=404) as url:
        ran = run("doctor", "--url", url)
    assert ran.returncode == 1
    seen, remedy = wrong(ran.stdout, "HTTP")
    assert seen.startswith("status 404")
    assert "check host and port" in remedy


def test_an_expired_token(served: ServedDeployment) -> None:
    token = served.issue_token("ada", lifetime=-60)
    ran = run("doctor", "--url", served.url, CONVEX_AUTH_TOKEN=token)
    assert ran.returncode == 1
    assert "WRONG token: of " in ran.stdout
    assert "sign in again" in ran.stdout
    assert token not in ran.stdout + ran.stderr


def test_tls_with_what_is_none(served: ServedDeployment) -> None:
    ran = run("doctor", "--url", served.url.replace("http:", "https:"))
    assert ran.returncode == 1
    assert "is it http://?" in wrong(ran.stdout, "TLS")[1]


@pytest.fixture
def authority() -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """A certificate authority that no machine knows."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key, certificate("A foreign authority", key.public_key(), None, key)


def certificate(
    name: str,
    public: ec.EllipticCurvePublicKey,
    issuer: x509.Certificate | None,
    key: ec.EllipticCurvePrivateKey,
    *,
    address: str = "127.0.0.1",
    days: int = 1,
) -> x509.Certificate:
    """A certificate that ends in `days`; without an issuer an authority's own."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=10))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
        )
    )
    if issuer is None:
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        built = built.add_extension(usage, critical=True)
    else:
        at = x509.IPAddress(ipaddress.ip_address(address))
        built = built.add_extension(x509.SubjectAlternativeName([at]), critical=False)
    return built.sign(key, hashes.SHA256())


@pytest.mark.parametrize(
    ("address", "days", "is_known", "seen", "remedy"),
    [
        ("127.0.0.1", 1, False, "unable to get local issuer certificate", "SSL_CERT_FILE"),
        ("127.0.0.2", 1, True, "mismatch", "check the URL's"),
        ("127.0.0.1", -1, True, "certificate has expired", "clock"),
        ("127.0.0.1", 1, True, None, None),
    ],
)
def test_tls_with_a_foreign_certificate(
    authority: tuple[ec.EllipticCurvePrivateKey, x509.Certificate],
    tmp_path: Path,
    address: str,
    days: int,
    is_known: bool,
    seen: str | None,
    remedy: str | None,
) -> None:
    authority_key, authority_own = authority
    key = ec.generate_private_key(ec.SECP256R1())
    own = certificate(
        "server", key.public_key(), authority_own, authority_key, address=address, days=days
    )
    pem = serialization.Encoding.PEM
    (tmp_path / "authority.pem").write_bytes(authority_own.public_bytes(pem))
    (tmp_path / "server.pem").write_bytes(
        own.public_bytes(pem)
        + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.load_cert_chain(tmp_path / "server.pem")
    known = str(tmp_path / "authority.pem") if is_known else ""
    with answering({"Date": formatdate(usegmt=True)}, trust=trust) as url:
        ran = run("doctor", "--url", url, SSL_CERT_FILE=known)
    assert ran.returncode == 1  # at the latest for the socket, which is none
    if seen is None or remedy is None:
        assert "ok    TLS: " in ran.stdout, ran.stdout + ran.stderr
        assert "ok    HTTP: version unknown" in ran.stdout
        return
    told = wrong(ran.stdout, "TLS")
    assert seen in told[0]
    assert remedy in told[1]
    assert "HTTP" not in ran.stdout  # what needs it is not tried


@pytest.mark.parametrize(("hours", "sign"), [(-3, "+"), (2, "-")])
def test_a_clock_that_is_off(hours: int, sign: str) -> None:
    with answering({"Date": formatdate(time.time() + hours * 3600, usegmt=True)}) as url:
        ran = run("doctor", "--url", url)
    assert ran.returncode == 1
    seen, remedy = wrong(ran.stdout, "clock")
    assert seen.startswith(sign)
    assert abs(int(seen.split()[0]) + hours * 3600) < 20
    assert "set this machine's clock" in remedy


@pytest.mark.parametrize(
    ("state", "status", "goes_on"), [("UpgradeRequired", 200, True), ("Unsupported", 400, False)]
)
def test_a_version_that_is_too_old(state: str, status: int, goes_on: bool) -> None:
    headers = {
        "x-convex-deprecation-state": state,
        "x-convex-deprecation-message": "The Convex python package at 0.1.0 is deprecated.",
    }
    with answering(headers, status) as url:
        ran = run("doctor", "--url", url)
    assert ran.returncode == 1
    seen, remedy = wrong(ran.stdout, "client version")
    assert seen == f"{state}: The Convex python package at 0.1.0 is deprecated."
    assert "pip install --upgrade convex-async" in remedy
    assert ("HTTP" in ran.stdout) is goes_on


def test_upgrades_that_are_held_back() -> None:
    with answering({"Date": formatdate(usegmt=True)}) as url:
        ran = run("doctor", "--url", url)
    assert ran.returncode == 1
    seen, remedy = wrong(ran.stdout, "WebSocket")
    assert "404" in seen
    assert "a proxy may hold back upgrades" in remedy


def test_an_admin_key_that_is_refused(served: ServedDeployment) -> None:
    ran = run("doctor", "--url", served.url, CONVEX_DEPLOY_KEY=served.admin_key)
    assert ran.returncode == 0, ran.stdout
    assert "ok    credentials: the admin key is taken" in ran.stdout
    ran = run("doctor", "--url", served.url, CONVEX_DEPLOY_KEY="local|5ecret")
    assert ran.returncode == 1
    assert "take a new key" in wrong(ran.stdout, "credentials")[1]
    assert "5ecret" not in ran.stdout + ran.stderr
