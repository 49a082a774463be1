"""`convex-async doctor` against a real instance of each trouble."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest

from convex_async.testing import ServedDeployment
from tests.cli.commands import run


def test_all_is_well(served: ServedDeployment) -> None:
    token = served.issue_token("ada")
    ran = run("doctor", "--url", served.url, CONVEX_AUTH_TOKEN=token)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for name in ("URL", "DNS", "port", "HTTP", "clock", "WebSocket", "token"):
        assert f"ok    {name}: " in ran.stdout
    assert token not in ran.stdout + ran.stderr


@pytest.fixture
def web_server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as server:  # fmt: skip  # noqa: E501
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


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


def test_another_server(web_server: str) -> None:
    ran = run("doctor", "--url", web_server)
    assert ran.returncode == 1
    assert "WRONG HTTP: status 404" in ran.stdout


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
    assert "WRONG TLS: " in ran.stdout
