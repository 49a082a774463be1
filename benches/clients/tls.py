"""TLS between a client and the scripted server, as every deployment but a local one has it.

stunnel (or the `stunnel4` of Debian) stands in front of the server with a certificate made for
the run. Python clients trust it by SSL_CERT_FILE, npm by NODE_EXTRA_CA_CERTS. It is not Python,
for that would be measured instead of the clients.
"""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from pathlib import Path

# Seconds until the relay takes connections.
PATIENCE_S = 10


class Relay:
    """stunnel in front of one plain URL, beside the server on core 0."""

    def __init__(self, plain_url: str) -> None:
        program = shutil.which("stunnel") or shutil.which("stunnel4")
        if program is None:
            raise SystemExit("--tls needs stunnel (apt-get install stunnel4)")
        self._scratch = tempfile.TemporaryDirectory(prefix="tls-")
        scratch = Path(self._scratch.name)
        make_certificate(scratch)
        self.environment = {
            "SSL_CERT_FILE": str(scratch / "bundle.pem"),
            "NODE_EXTRA_CA_CERTS": str(scratch / "cert.pem"),
        }
        port = free_port()
        self.url = f"https://localhost:{port}"
        (scratch / "stunnel.conf").write_text(
            "foreground = yes\npid =\nsocket = l:TCP_NODELAY=1\nsocket = r:TCP_NODELAY=1\n"
            f"[relay]\naccept = 127.0.0.1:{port}\nconnect = {plain_url.rpartition('/')[2]}\n"
            f"cert = {scratch}/cert.pem\nkey = {scratch}/key.pem\n"
        )
        self._process = subprocess.Popen(
            ["taskset", "-c", "0", program, str(scratch / "stunnel.conf")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + PATIENCE_S
        while not is_open(port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise SystemExit("stunnel did not start")
            time.sleep(0.05)

    def close(self) -> None:
        """End it, and forget the key."""
        self._process.terminate()
        self._process.wait()
        self._scratch.cleanup()


def make_certificate(folder: Path) -> None:
    """`key.pem`, `cert.pem` for localhost, and `bundle.pem`: what was trusted before, and it."""
    command = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-nodes", "-days", "2", "-subj", "/CN=localhost"),
        *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        *("-addext", "basicConstraints=critical,CA:TRUE"),
        *("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")),
    ]
    subprocess.run(command, check=True, capture_output=True)
    trusted = ssl.get_default_verify_paths().cafile
    before = Path(trusted).read_bytes() if trusted else b""
    (folder / "bundle.pem").write_bytes(before + (folder / "cert.pem").read_bytes())


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_open(port: int) -> bool:
    """Whether somebody listens on it."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
