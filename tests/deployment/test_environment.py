from __future__ import annotations

import sys
from pathlib import Path

import pytest

from convex_async import ConvexClient, ConvexHttpClient, sync
from convex_async.deployment.environment import PREFIXES, deployment_url, read_configuration

CLOUD = "https://happy-animal-123.convex.cloud"
OTHER = "https://other-animal-456.convex.cloud"


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for prefix in PREFIXES:
        monkeypatch.delenv(f"{prefix}CONVEX_URL", raising=False)
        monkeypatch.delenv(f"{prefix}CONVEX_SITE_URL", raising=False)
    monkeypatch.delenv("CONVEX_SELF_HOSTED_URL", raising=False)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_plain_and_prefixed_names(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    monkeypatch.setenv(f"{prefix}CONVEX_URL", CLOUD)
    monkeypatch.setenv(f"{prefix}CONVEX_SITE_URL", "https://hooks.example.com/")
    client = ConvexHttpClient.from_env()
    assert client.url == CLOUD
    assert client.site_url == "https://hooks.example.com"


def test_the_dotenv_file_comes_after_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env.local").write_text(
        f"# by npx convex dev\nVITE_CONVEX_URL={CLOUD} # team\nCONVEX_SITE_URL='https://s.dev'\n"
    )
    assert ConvexClient.from_env().url == CLOUD
    assert ConvexClient.from_env().site_url == "https://s.dev"
    monkeypatch.setenv("CONVEX_URL", OTHER)
    # Not the file's site URL: it belongs to the file's deployment.
    assert ConvexClient.from_env().site_url == "https://other-animal-456.convex.site"


def test_the_files_are_looked_for_up_to_the_projects_root(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "project" / "packages" / "app"
    package.mkdir(parents=True)
    monkeypatch.chdir(package)
    (tmp_path / ".env.local").write_text("CONVEX_URL=https://not-the-projects-1.convex.cloud\n")
    (tmp_path / "project" / "package.json").touch()
    with pytest.raises(ValueError, match="no deployment URL"):
        read_configuration()
    (tmp_path / "project" / ".env").write_text(f"CONVEX_URL={OTHER}\n")
    assert read_configuration().url == OTHER
    (tmp_path / "project" / ".env.local").write_text(f"CONVEX_URL={CLOUD}\n")
    assert read_configuration().url == CLOUD
    (package / ".env").write_text("OTHER_THINGS=1\n")
    assert read_configuration().url == CLOUD
    (package / ".env").write_text(f"CONVEX_URL={OTHER}\n")
    assert read_configuration().url == OTHER
    (package / "pyproject.toml").touch()  # a project within a repository
    (package / ".env").unlink()
    with pytest.raises(ValueError, match="no deployment URL"):
        read_configuration()
    (tmp_path / "project" / ".git").mkdir()
    assert read_configuration().url == CLOUD
    with pytest.raises(ValueError, match=r"no file \.env in"):
        read_configuration(".env")  # of one that is named, no other is looked for


KEYS = ("CONVEX_DEPLOY_KEY", "CONVEX_ADMIN_KEY", "CONVEX_SELF_HOSTED_ADMIN_KEY")


@pytest.mark.parametrize("name", KEYS)
def test_a_key_is_taken_when_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    for key in KEYS:
        monkeypatch.delenv(key, raising=False)
    (tmp_path / ".env.local").write_text(f"CONVEX_URL={CLOUD}\n")
    with pytest.raises(ValueError, match=r"no admin key.*CONVEX_DEPLOY_KEY"):
        ConvexHttpClient.from_env(admin=True)
    monkeypatch.setenv(name, "prod:happy-animal-123|5ecret")
    assert read_configuration().admin_key is None
    assert read_configuration(admin=True).admin_key == "prod:happy-animal-123|5ecret"
    for make in (ConvexClient, ConvexHttpClient, sync.ConvexClient, sync.ConvexHttpClient):
        assert "5ecret" not in repr(make.from_env(admin=True))
    (tmp_path / ".env.local").write_text(f"CONVEX_URL={CLOUD}\n{name}=dev:of|file\n")
    assert read_configuration(admin=True).admin_key == "dev:of|file"
    assert sync.ConvexHttpClient.from_env(admin=True).auth == "Convex of|file"
    assert sync.ConvexHttpClient.from_env(admin=True, admin_key="a|b").auth == "Convex a|b"


def test_a_self_hosted_deployment_brings_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVEX_SELF_HOSTED_URL", "http://127.0.0.1:3210")
    monkeypatch.setenv("CONVEX_SELF_HOSTED_ADMIN_KEY", "name|5ecret")
    found = read_configuration(None)
    assert (found.url, found.admin_key) == ("http://127.0.0.1:3210", "name|5ecret")
    assert "5ecret" not in repr(found)
    client = ConvexHttpClient.from_env()
    assert client.site_url == "http://127.0.0.1:3210/http"
    assert "5ecret" not in repr(client)
    # What is given wins: as a user, there is no key beside the token.
    ConvexHttpClient.from_env(auth="a.b.c")
    with pytest.raises(ValueError, match="string without blanks"):
        ConvexHttpClient.from_env(admin_key="not a key")


def test_options_win_over_what_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVEX_URL", CLOUD)
    monkeypatch.setenv("CONVEX_SITE_URL", "https://found.dev")
    client = ConvexHttpClient.from_env(site_url="https://mine.dev", timeout=1.0)
    assert client.site_url == "https://mine.dev"


def test_an_error_tells_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="NEXT_PUBLIC_CONVEX_URL") as raised:
        ConvexClient.from_env()
    for part in ("CONVEX_SELF_HOSTED_URL", str(tmp_path), "npx convex dev", "LocalDeployment"):
        assert part in str(raised.value)
    (tmp_path / "my.env").write_text("CONVEX_URL=\n")
    with pytest.raises(ValueError, match=r"nor in my\.env"):
        ConvexClient.from_env("my.env")
    with pytest.raises(ValueError, match="CONVEX_URL is not set"):
        ConvexClient()


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env.local").write_text(f"CONVEX_URL={CLOUD}\n")
    monkeypatch.setitem(sys.modules, "dotenv", None)
    with pytest.raises(ImportError, match=r"convex-async\[dotenv\]"):
        ConvexClient.from_env()


def test_the_site_of_the_environment_goes_with_its_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVEX_URL", CLOUD)
    monkeypatch.setenv("CONVEX_SITE_URL", "https://found.dev")
    assert deployment_url(None).site_url == "https://found.dev"
    assert deployment_url(OTHER).site_url == "https://other-animal-456.convex.site"
    assert deployment_url(None, "https://mine.dev").site_url == "https://mine.dev"
