"""What both clients are: a deployment, an identity and one aiohttp session."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Self

from msgspec import Struct

from convex_async.auth.credentials import admin_credential, user_credential
from convex_async.auth.tokens import Auth, TokenFetcher, check_fetcher
from convex_async.client_base.reading import Reading
from convex_async.client_base.stored_files import StoredFiles
from convex_async.deployment.environment import DOTENV, configured, deployment_url
from convex_async.deployment.url import DeploymentUrl, check_encrypted
from convex_async.protocol.client.identity import ANONYMOUS, Credential
from convex_async.telemetry.function_logs import show_function_logs

if TYPE_CHECKING:
    import aiohttp


class Settings(Struct, frozen=True):
    """What a client was made with, and shares with its views.

    Attributes:
        timeout: seconds that a query or mutation may take, or None.
        allow_insecure: tokens may travel unencrypted.
        reading: how it reads the arguments and types of calls.
    """

    deployment: DeploymentUrl
    timeout: float | None
    allow_insecure: bool
    reading: Reading = Reading()

    @classmethod
    def of(
        cls,
        url: str | None,
        site_url: str | None,
        timeout: float | None,
        allow_insecure: bool,
        reading: Reading = Reading(),  # noqa: B008 - it can't change
    ) -> Settings:
        """The settings, checked.

        Raises:
            ValueError: the URL is no deployment URL, or the timeout is out of range.
        """
        return cls(deployment_url(url, site_url), _seconds(timeout), allow_insecure, reading)


class ClientBase(StoredFiles):
    """Construction, identity and HTTP actions; a subclass carries the calls.

    Args:
        settings: its own, or those of the client whose view it is.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._reading = settings.reading
        self._debug = False

    def __reduce__(self) -> Any:
        # A copy would share the session id, whose requests the deployment runs once.
        raise TypeError("a client can't be pickled or copied: make one where it is used")

    def _sign_in(
        self, auth: Auth, admin_key: str | None, acting_as: Mapping[str, Any] | None
    ) -> None:
        """Become whom the constructor's arguments name."""
        if admin_key is not None:
            if auth is not None:
                raise ValueError("give auth or admin_key, not both")
            self.set_admin_auth(admin_key, acting_as)
        elif acting_as is not None:
            raise ValueError("acting_as needs an admin_key")
        elif auth is not None:
            self.set_auth(auth)

    @abstractmethod
    def _become(self, credential: Credential | None, fetcher: TokenFetcher | None) -> None:
        """Be somebody else from now on, by a credential or by a fetcher of them."""

    @abstractmethod
    async def _user_token(self) -> str | None:
        """The user's JWT as it would go on a request now; None for admins and for nobody."""

    @classmethod
    def from_env(
        cls,
        dotenv: str | os.PathLike[str] | None = DOTENV,
        *,
        admin: bool = False,
        **options: Any,
    ) -> Self:
        """A client for the deployment that the environment, or `.env.local`, names.

        Looks for `CONVEX_URL` and its prefixed forms (`NEXT_PUBLIC_CONVEX_URL`,
        `VITE_CONVEX_URL`, ...) with `CONVEX_SITE_URL`, then for `CONVEX_SELF_HOSTED_URL` with
        `CONVEX_SELF_HOSTED_ADMIN_KEY`, which is used unless `auth` or `admin_key` is given.

        Args:
            dotenv: a file to look in after the environment; None for none. By default
                `.env.local` and then `.env`, of the working directory and its parents up to the
                project's root. It needs the extra `convex-async[dotenv]`.
            admin: be an admin, by `CONVEX_DEPLOY_KEY`, `CONVEX_ADMIN_KEY` or
                `CONVEX_SELF_HOSTED_ADMIN_KEY`.
            options: as the constructor takes them; they win over what is found.

        Raises:
            ValueError: no URL, or no key, is found; the message says where it was looked for.
        """
        url, options = configured(dotenv, options, admin=admin)
        make: Any = cls  # each subclass has a constructor of its own
        client: Self = make(url, **options)
        return client

    @property
    def url(self) -> str:
        """The deployment's origin, such as `https://happy-animal-123.convex.cloud`."""
        return self._settings.deployment.url

    @property
    def site_url(self) -> str:
        """The origin of HTTP actions, such as `https://happy-animal-123.convex.site`.

        Where none was given and none can be derived, it is `/http` on the deployment's own
        origin, which self-hosted and local deployments serve.
        """
        return self._settings.deployment.site_url or f"{self.url}/http"

    async def ping(self, *, timeout: float | EllipsisType | None = ...) -> float:
        """Ask the deployment for a sign of life: the seconds until it came.

        It is one HTTP request without a token, which runs no function.

        Raises:
            TransportError, RequestTimeoutError: nothing answers there.
            RemoteProtocolError: something answers that is no Convex deployment.
        """
        from convex_async.transport.http import ping

        return await ping(self._http_session(), self.url, self._limit(timeout))

    # Identity

    def set_auth(self, auth: Auth) -> None:
        """Become another user, or nobody with None. What was asked before runs as the one before.

        Args:
            auth: a JWT, or `async def fetch(*, force_refresh: bool) -> str | None`, whose token
                is kept, renewed before it ends, and fetched anew when it is refused.

        Raises:
            ValueError: the deployment is reached over plain http, not on this host, and
                `allow_insecure` is not set; or the token can't be one.
            TypeError: neither a string nor a fetcher that takes `force_refresh`.
        """
        if auth is None:
            self._become(ANONYMOUS, None)
            return
        self._ensure_encrypted()
        if isinstance(auth, str):
            self._become(user_credential(auth), None)
        else:
            check_fetcher(auth)
            self._become(None, auth)

    def clear_auth(self) -> None:
        """Become nobody: log out."""
        self.set_auth(None)

    def set_admin_auth(self, key: str, acting_as: Mapping[str, Any] | None = None) -> None:
        """Become an admin of the deployment, who may call internal functions.

        Args:
            key: an admin or deploy key.
            acting_as: the user to act as: `tokenIdentifier`, or `issuer` and `subject`.
        """
        self._ensure_encrypted()
        self._become(admin_credential(key, acting_as), None)

    def set_debug(self, debug: bool) -> None:
        """Show what functions log, by the logger `convex_async.functions`."""
        self._debug = debug
        if debug:
            show_function_logs()

    def http_action(
        self, method: str, path: str, **kwargs: Any
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Call an HTTP action: `async with client.http_action("POST", "/hook", json=...) as r`.

        The user's token goes along unless `headers` has an Authorization; an admin key does not,
        for the action's own code would see it.

        Args:
            path: on `site_url`, with its query.
            kwargs: as `aiohttp.ClientSession.request` takes them. `timeout` may be seconds, until
                the answer's headers are there, the wait for a token included; the client's own
                by default.

        Raises:
            TransportError, RequestTimeoutError: with `.outcome`. A status of 400 or more is an
                answer, and raises nothing.
        """
        from convex_async.transport.http_action import open_http_action

        return open_http_action(
            self._http_session(),
            self.site_url,
            method,
            path,
            token=self._user_token,
            allow_insecure=self._settings.allow_insecure,
            default_timeout=self._settings.timeout,
            kwargs=kwargs,
        )

    # How

    def _ensure_encrypted(self) -> None:
        check_encrypted(self.url, allowed=self._settings.allow_insecure)

    def _limit(self, timeout: float | EllipsisType | None) -> float | None:
        return self._settings.timeout if timeout is ... else _seconds(timeout)


def check_seconds(name: str, seconds: object) -> None:
    """Raise for what is no time to wait, naming the option."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"{name} is a number of seconds, not {seconds!r:.40}")
    if not seconds > 0:
        raise ValueError(f"{name} is seconds, above zero, not {seconds}")


def _seconds(timeout: float | None) -> float | None:
    if timeout is not None:
        check_seconds("timeout", timeout)
    return timeout
