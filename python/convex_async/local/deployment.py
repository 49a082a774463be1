"""`LocalDeployment`: a small Convex in this process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Self

from aiohttp import web

from convex_async.codec.values import decode, encode_arguments
from convex_async.deployment.serving import served_here
from convex_async.errors import ConvexError, FunctionError
from convex_async.function_path import FunctionReference, canonical_path
from convex_async.local.auth.identity import Caller
from convex_async.local.auth.tokens import Tokens
from convex_async.local.definitions.crons import Cron
from convex_async.local.definitions.functions import Declaration, Functions
from convex_async.local.engine.calls import FunctionCall, assert_called
from convex_async.local.engine.engine import Engine
from convex_async.local.engine.python_functions import PythonFunctions
from convex_async.local.engine.runtime import Runtime
from convex_async.local.inspection.tables import Tables
from convex_async.local.jobs.jobs import Jobs
from convex_async.local.served import ServedDeployment
from convex_async.local.server.app import make_app, make_site
from convex_async.local.server.draining import OpenRequests
from convex_async.local.server.faults import Faults
from convex_async.local.server.incoming import IDLE_TIMEOUT
from convex_async.local.server.origins import Origins
from convex_async.local.transactions.outcome import Failure
from convex_async.local.typescript.environment import Environment
from convex_async.local.typescript.reload import Reloader, check_can_watch
from convex_async.local.typescript.runtime import TypeScriptFunctions
from convex_async.protocol.results import split_request_id
from convex_async.transport.receive_buffers import keep_receive_buffers

NOT_RUNNING = "the deployment is not running: use `async with LocalDeployment(…)`"
# Seconds that open connections have to end when the deployment closes.
SHUTDOWN_TIMEOUT = 0.5
# Seconds for which the rest of a refused body is still read, so that its sender sees the answer.
LINGERING = 10.0
# Seconds that what is under way has to be finished when the deployment is drained.
DRAIN_TIMEOUT = 10.0


class LocalDeployment:
    """A Convex deployment that runs your Python functions, for tests, demos and offline work.

    It speaks the real sync protocol and HTTP API, so that every Convex client works against it.
    `async with LocalDeployment(functions) as deployment:` starts and stops it.

    Args:
        functions: what it runs.
        path: a SQLite file that keeps its data; None keeps everything in memory.
        host: the address to listen on.
        port: 0 takes a free one.
        redact: hide the functions' errors and logs from clients, as production deployments do.
        name: the deployment's name, the first part of its admin key.
        record_calls: note each call in `calls`; leave it out for what runs for days.
        issuers: other issuers of JWTs to trust, by `iss`: a JWKS document, with the `applicationID`
            that its tokens are to be for, as in Convex's `auth.config`, or without one if they may
            be for anybody; or that ID alone, and the keys are found by OpenID Connect.
        allow_hosts: names by which it may be asked while it listens on the loopback interface,
            beside `localhost` and addresses; without it, a web page whose name leads here (DNS
            rebinding) could read its answers.

    Attributes:
        faults: switches that make it misbehave.
        env: the environment variables of functions in TypeScript, from their next run on.
        calls: of functions, in order, by clients, jobs and other functions' transactions; a live
            query once, however often it ran again. Clear it as you like.
    """

    def __init__(
        self,
        functions: Functions,
        path: str | os.PathLike[str] | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        redact: bool = False,
        name: str = "local",
        record_calls: bool = True,
        issuers: Mapping[str, Mapping[str, Any] | str] | None = None,
        allow_hosts: Iterable[str] = (),
    ) -> None:
        self.faults: Faults = Faults()
        self.calls: list[FunctionCall] = []
        self._record_calls = record_calls
        self._functions = functions
        self._path = None if path is None else Path(path)
        self._host = host
        self._origins = Origins(host, allow_hosts)
        self._port = port
        self._redact = redact
        self._tokens = Tokens(name, issuers or {})
        self._engine: Engine | None = None
        self._jobs: Jobs | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._runner: web.AppRunner | None = None
        self._site_runner: web.AppRunner | None = None
        self._requests = OpenRequests()
        self._site_port = 0
        self._stack = AsyncExitStack()
        self._served: ServedDeployment | None = None
        self._folder: Path | None = None
        self._reload = False
        self.env: Environment = Environment()

    @classmethod
    def from_folder(
        cls,
        folder: str | os.PathLike[str] = "convex",
        *,
        functions: Functions | None = None,
        env: Mapping[str, str] | None = None,
        path: str | os.PathLike[str] | None = None,
        reload: bool = False,
        **options: Any,
    ) -> Self:
        """A deployment of a folder of TypeScript, as `npx convex dev` would deploy it.

        Starting it raises `LoadError` if the folder can't be bundled or loaded, with file and
        line where that is known; it needs Node 20 or newer, or the extra `[typescript]`, and an
        installed npm `convex`.

        Args:
            folder: with the functions, and perhaps `schema`, `crons`, `http` and `auth.config`.
            functions: Python functions beside them, under other paths.
            env: the environment variables that the functions see; `env` of the deployment.
            path: a SQLite file that keeps its data; None keeps everything in memory.
            reload: load the folder anew when its files change, beside the version that runs; live
                queries run again once it is there. What can't be loaded is logged, and changes
                nothing.
            options: further ones of `LocalDeployment`.
        """
        deployment = cls(functions or Functions(), path, **options)
        deployment._folder = Path(folder).absolute()
        deployment._reload = reload
        deployment.env.update(env or {})
        return deployment

    def __repr__(self) -> str:
        return f"<LocalDeployment {self.url if self._runner else 'not started'}>"

    @property
    def url(self) -> str:
        """The deployment URL, such as `http://127.0.0.1:3210`."""
        self._running()
        return f"http://{self._shown_host}:{self._port}"

    @property
    def site_url(self) -> str:
        """The origin of the HTTP actions, which has a port of its own."""
        self._running()
        return f"http://{self._shown_host}:{self._site_port}"

    @property
    def _shown_host(self) -> str:
        """The host in URLs; this machine's loopback address for what listens on all."""
        host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(self._host, self._host)
        return f"[{host}]" if ":" in host else host

    @property
    def functions(self) -> list[Declaration]:
        """All functions that it runs, HTTP actions excepted."""
        found = [d for runtime in self._running().runtimes.all for d in runtime.declarations()]
        return sorted(found, key=lambda declaration: declaration.path)

    @property
    def crons(self) -> list[Cron]:
        """What runs again and again."""
        return list(self._running().runtimes.crons.values())

    @property
    def has_routes(self) -> bool:
        """Whether there is an HTTP action."""
        return any(list(runtime.routes()) for runtime in self._running().runtimes.all)

    @property
    def admin_key(self) -> str:
        """The key with which clients may call internal functions; kept with the data."""
        return self._tokens.admin_key

    def issue_token(self, subject: str, *, lifetime: float = 3600.0, **claims: Any) -> str:
        """A JWT for a user, which this deployment takes.

        Args:
            subject: the user's id.
            lifetime: seconds until it ends.
            claims: further claims, such as `name="Ada"`.
        """
        return self._tokens.issue(subject, lifetime, claims)

    async def run(
        self, path: str | FunctionReference, args: Mapping[str, Any] | None = None
    ) -> Any:
        """Run a function of any kind as an admin, without a socket.

        Raises:
            ConvexError, FunctionError: it failed.
        """
        engine = self._running()
        name = canonical_path(path)
        wire = encode_arguments(args)
        admin = Caller(is_admin=True)
        function = engine.runtimes.get(name)
        match function.kind if function else "query":
            case "mutation":
                result = (await engine.mutation(name, wire, identity=admin)).result
            case "action":
                result = (await engine.action(name, wire, identity=admin)).result
            case _:
                result = (await engine.query(name, wire, identity=admin)).result
        if isinstance(result, Failure):
            message, request_id = split_request_id(result.message)
            if result.data is None:
                raise FunctionError(message, path=name, request_id=request_id)
            raise ConvexError(message, decode(result.data), path=name, request_id=request_id)
        return decode(result)

    # What tests look at

    @property
    def tables(self) -> Tables:
        """The documents by table: `tables["tasks"]` is a sequence of them as they are now.

        `tables["tasks"].insert(fields)` adds one, `tables["tasks"] = [...]` sets them all.
        """
        engine = self._running()
        assert self._loop is not None
        return Tables(engine, self._loop)

    def assert_called(
        self,
        path: str | FunctionReference,
        args: Mapping[str, Any] | None = None,
        *,
        times: int | None = None,
    ) -> None:
        """Raise `AssertionError`, which shows the calls there were, unless a function was called.

        Args:
            args: all the arguments that it was called with; None for any.
            times: how often; None for at least once.
        """
        assert_called(self.calls, path, args, times)

    async def advance(self, seconds: float) -> None:
        """Let time pass at once: run, in order, what the scheduler and crons run meanwhile.

        Each run happens at its time, which is `ctx.now`, and is over when this returns; a cron runs
        as often as it would have. Tokens and upload URLs do not age by it.

        Raises:
            ValueError: the time is negative or infinite.
        """
        self._running()
        assert self._jobs is not None
        await self._jobs.advance(seconds)

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: the port is taken, or the file can't be opened.
        """
        keep_receive_buffers()
        async with AsyncExitStack() as stack:
            runtimes: list[Runtime] = [PythonFunctions(self._functions)]
            loaded: TypeScriptFunctions | None = None
            if self._folder is not None:
                if self._reload:
                    check_can_watch()
                loaded = await TypeScriptFunctions.load(self._folder, self.env.all())
                stack.push_async_callback(loaded.close)
                self._tokens.trust(loaded.auth)
                self.env.on_change = loaded.set_env
                runtimes.append(loaded)
            engine = Engine(
                *runtimes,
                path=self._path,
                redact=self._redact,
                calls=self.calls if self._record_calls else None,
            )
            stack.push_async_callback(engine.close)
            jobs = Jobs(engine)
            stack.push_async_callback(jobs.close)
            await jobs.start()
            engine.on_swap.append(jobs.swapped)
            self._requests = OpenRequests()
            site_app = make_site(engine, self._tokens, self._requests, self._origins)
            self._site_runner = await self._listen(stack, site_app, 0)
            self._site_port = self._site_runner.addresses[0][1]
            app = make_app(engine, self._tokens, self.faults, self._requests, self._origins)
            self._runner = await self._listen(stack, app, self._port)
            self._port = self._runner.addresses[0][1]
            self._engine, self._jobs, self._loop = engine, jobs, asyncio.get_running_loop()
            engine.files.origin = self.url
            stack.enter_context(served_here(self.url))
            self._tokens.keep(engine.secrets, self.url)
            self.env.set_system({"CONVEX_CLOUD_URL": self.url, "CONVEX_SITE_URL": self.site_url})
            if loaded is not None and self._folder is not None and self._reload:
                stack.push_async_callback(self._watch(engine, self._folder, loaded))
            stack.callback(self.faults.drop)
            self._stack = stack.pop_all()

    def _watch(
        self, engine: Engine, folder: Path, loaded: TypeScriptFunctions
    ) -> Callable[[], Awaitable[None]]:
        """Load the folder anew at each change; what ends that."""

        async def swap(old: TypeScriptFunctions, new: TypeScriptFunctions) -> None:
            await engine.swap(old, new)
            self._tokens.trust(new.auth)
            self.env.on_change = new.set_env
            new.set_env(self.env.all())

        reloader = Reloader(folder, loaded, self.env.all, swap)
        watching = asyncio.create_task(reloader.run())

        async def end() -> None:
            watching.cancel()
            await asyncio.wait([watching])
            await reloader.close()

        return end

    async def _listen(
        self, stack: AsyncExitStack, app: web.Application, port: int
    ) -> web.AppRunner:
        runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=SHUTDOWN_TIMEOUT,
            keepalive_timeout=IDLE_TIMEOUT,
            lingering_time=LINGERING,
            auto_decompress=False,  # files are kept as they were sent
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, self._host, port).start()
        return runner

    async def drain(self, timeout: float = DRAIN_TIMEOUT) -> None:
        """Stop in order: take nothing new, and finish what has begun, as `serve` does at SIGTERM.

        New connections and requests are refused. A socket is closed (1001) once the mutations and
        actions that it has begun are answered; those it has not begun its client sends again.

        Args:
            timeout: seconds after which the rest is cut.
        """
        for runner in (self._runner, self._site_runner):
            for site in list(runner.sites) if runner is not None else ():
                await site.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await asyncio.gather(self._requests.drain(), self.faults.sockets.drain())
        await self.close()

    async def close(self) -> None:
        """Cut all connections and stop. Idempotent."""
        self._runner = self._site_runner = self._engine = self._jobs = None
        stack, self._stack = self._stack, AsyncExitStack()
        await stack.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    def __enter__(self) -> ServedDeployment:
        """Run on a thread of its own, for synchronous code: what is awaited elsewhere blocks.

        Raises:
            RuntimeError: a loop runs here, which blocking would stop.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self._served = ServedDeployment(lambda: self)
            self._served.start()
            return self._served
        raise RuntimeError("a loop runs here: write `async with LocalDeployment(...)`")

    def __exit__(self, *exc: object) -> None:
        if self._served is not None:
            self._served.close()

    def _running(self) -> Engine:
        if self._engine is None:
            raise RuntimeError(NOT_RUNNING)
        return self._engine
