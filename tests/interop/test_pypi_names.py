"""Every public name of PyPI `convex` 0.8.1 is here, with a signature that takes what it takes."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import convex
import convex.http_client
import convex.values
import pytest

import convex_async.sync
import convex_async.sync.http_client
import convex_async.sync.values
from convex_async.local import Functions, LocalDeployment
from convex_async.sync import ConvexClient, ConvexError, ConvexHttpClient, ConvexInt64
from tests.guide.backend import functions
from tests.sync.served import served

pytestmark = pytest.mark.interop


@pytest.fixture
def deployment() -> Iterator[LocalDeployment]:
    with served(functions) as deployment:
        yield deployment


@pytest.fixture
def client(deployment: LocalDeployment) -> Iterator[ConvexClient]:
    with ConvexClient(deployment.url) as client:
        yield client


ROOT = Path(__file__).parents[2]
MODULES = [
    (convex, convex_async.sync),
    (convex.http_client, convex_async.sync.http_client),
    (convex.values, convex_async.sync.values),
]
# What is meant to be otherwise; docs/coming-from-convex.md has each in a table.
MEANT = {
    "init_logging": "logs go to `logging`",
    "PyConvexClient": "the Rust client",
    "PyQuerySubscription": "the Rust client",
    "PyQuerySetSubscription": "the Rust client",
    "QuerySubscription.__init__": "made by `subscribe`",
    "QuerySetSubscription.__init__": "made by `watch_all`",
    "QuerySetSubscription.inner": "made by `watch_all`",
    "QuerySetSubscription.client": "made by `watch_all`",
    "QuerySetSubscription.safe_inner_sub": "made by `watch_all`",
}


def public(module: ModuleType) -> Iterator[str]:
    """What a program can import: no private names, modules, or helpers of others' libraries."""
    for name, value in vars(module).items():
        home = getattr(value, "__module__", None) or ""
        foreign = inspect.isclass(value) and not home.startswith(("convex", "_convex"))
        if not (name.startswith("_") or inspect.ismodule(value) or foreign):
            yield name
    yield from (name for name in ("__version__",) if hasattr(module, name))


OTHERS = {"annotations", "Any", "Dict", "List", "Mapping", "Optional", "Union", "cast"}
OTHERS |= {"TYPE_CHECKING", "Indexable", "ReplacementAbc", "orig_abc", "HTTPError"}

NAMES = [
    pytest.param(theirs, ours, name, id=f"{theirs.__name__}.{name}")
    for theirs, ours in MODULES
    for name in public(theirs)
    if name not in OTHERS
]


def test_there_are_names() -> None:
    assert len(NAMES) > 40


@pytest.mark.parametrize(("theirs", "ours", "name"), NAMES)
def test_a_public_name_is_here(theirs: ModuleType, ours: ModuleType, name: str) -> None:
    if name in MEANT:
        return
    their, our = getattr(theirs, name), getattr(ours, name)
    if inspect.isfunction(their):
        assert_takes(our, their)
    if inspect.isclass(their):
        for member, value in vars(their).items():
            full = f"{name}.{member}"
            if full in MEANT or (member.startswith("_") and member != "__init__"):
                continue
            if member == "__init__":
                assert_takes(our, their)
            elif inspect.isfunction(value):
                assert_takes(getattr(our, member), value)
            else:
                assert hasattr(our, member), full


def assert_takes(ours: Any, theirs: Any) -> None:
    """Every call that the one takes, by position or by name, the other takes too."""
    parameters = list(inspect.signature(theirs).parameters.values())
    signature = inspect.signature(ours)
    required = [p for p in parameters if p.default is p.empty]
    for some in (parameters, required):
        by_position, by_name = [object()] * len(some), {p.name: object() for p in some}
        signature.bind(*by_position)
        signature.bind(**by_name)


@pytest.mark.parametrize("name", sorted(MEANT))
def test_a_difference_that_is_meant_stands_in_the_docs(name: str) -> None:
    text = (ROOT / "docs/coming-from-convex.md").read_text()
    table = text[text.index("## What is different by intent") :]
    short = name.removesuffix(".__init__")
    assert re.search(rf"^\\|.*`{re.escape(short)}[`(]", table, re.M), short


ATTRIBUTES = {
    "http": ("address", "auth", "debug", "headers"),
    "client": ("client",),
    "subscription": ("client", "inner", "name", "args", "invalidated", "id", "safe_inner_sub"),
}


def test_attributes_that_are_set_in_constructors(
    deployment: LocalDeployment, client: ConvexClient
) -> None:
    with ConvexHttpClient(deployment.url) as http, client.subscribe("tasks:list") as tasks:
        for name in ATTRIBUTES["http"]:
            getattr(http, name)
        for name in ATTRIBUTES["subscription"]:
            getattr(tasks, name)
        assert tasks.client is client.client
        assert (tasks.name, tasks.args, tasks.invalidated) == ("tasks:list", {}, False)
        assert tasks.safe_inner_sub() is tasks.inner
        token = deployment.issue_token("ada")
        assert (http.auth, http.debug, http.address) == (None, False, deployment.url)
        http.set_auth(value=token)
        http.set_debug(value=True)
        assert (http.auth, http.debug) == (f"Bearer {token}", True)
        http.set_admin_auth(admin_key=deployment.admin_key)
        assert http.auth == f"Convex {deployment.admin_key}"
        assert set(http.headers) == {"Convex-Client"}
    assert tasks.invalidated
    with pytest.raises(Exception, match="unsubscribed"):
        tasks.safe_inner_sub()


def test_errors_are_made_as_there() -> None:
    for kind in (convex.ConvexError, ConvexError):
        error: Any = kind("full", {"code": 1})
        assert (str(error), error.args, error.data) == ("full", ("full",), {"code": 1})
        error = kind(message="full", data=None)
        assert (str(error), error.data) == ("full", None)


def test_int64_is_as_there() -> None:
    echoing = Functions()

    @echoing.query("debug:echo")
    async def echo(ctx: Any, value: Any) -> Any:
        return value

    with served(echoing) as deployment, ConvexClient(deployment.url) as client:
        check_int64(client)


def check_int64(client: ConvexClient) -> None:
    for number in (0, -1, 2**63 - 1):
        their: Any = convex.ConvexInt64(number)
        our = ConvexInt64(number)
        assert (our.value, our.to_json(), repr(our)) == (their.value, their.to_json(), repr(their))
        assert our == their
        assert convex_async.sync.values.convex_to_json({"a": [their]}) == {"a": [our.to_json()]}
        echoed = client.query("debug:echo", {"value": {"numbers": [their, 1]}})
        assert echoed == {"numbers": [our, 1.0]}
        assert isinstance(echoed["numbers"][0], ConvexInt64)


VALUES: list[Any] = [None, True, 1, 1.5, float("inf"), -0.0, "a", b"a", [1.0], (1, 2), {"a": []}]


@pytest.mark.parametrize("value", [*VALUES, {1: 2}, range, {"$a": 1}, 2**60], ids=repr)
@pytest.mark.parametrize(
    "name",
    [
        "convex_to_json",
        "strict_convex_to_json",
        "coerce_to_convex",
        "is_coercible_to_convex_value",
        "is_convex_value",
    ],
)
def test_values_are_taken_and_refused_as_there(name: str, value: Any) -> None:
    def outcome(module: Any) -> Any:
        try:
            return repr(getattr(module, name)(value))
        except (TypeError, ValueError):
            return "refused"

    theirs, ours = outcome(convex.values), outcome(convex_async.sync.values)
    assert ours in (theirs, theirs.replace(".0", ""))


PROGRAM = """
import os, sys
from ROOT import ConvexClient, ConvexError, ConvexInt64, FunctionArgs, JsonValue, SubscriberId
from ROOT import ConvexExecutionError, CoercibleToConvexValue, coerce_args_to_convex, __version__
from ROOT.http_client import ConvexHttpClient
from ROOT.values import convex_to_json, json_to_convex

url = os.environ["CONVEX_URL"]
for client in (ConvexClient(url), ConvexHttpClient(url)):
    task = client.mutation("tasks:create", {"text": "Milk"})
    assert task in [row["_id"] for row in client.query("tasks:list")]
    try:
        client.mutation("orders:create", {"productId": "nonexistent"})
    except ConvexError as error:
        print(error.data["code"])
    try:
        client.query("no:such")
    except Exception as error:
        print("failed")
client = ConvexClient(url)
subscription = client.subscribe("tasks:list")
print(len(next(subscription)), subscription.name, subscription.args)
subscription.unsubscribe()
print(json_to_convex(convex_to_json({"a": ConvexInt64(5)}))["a"].value)
print(coerce_args_to_convex({"a": (1, 2)}))
"""


@pytest.mark.parametrize("root", ["convex", "convex_async.sync"])
def test_a_program_runs_with_another_root(deployment: LocalDeployment, root: str) -> None:
    program = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("ROOT", root)],
        env={**os.environ, "CONVEX_URL": deployment.url},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert program.stderr == ""
    lines = [line for line in program.stdout.splitlines() if not line.startswith("[")]
    assert lines == [
        *(["NOT_FOUND", "failed"] * 2),
        "2 tasks:list {}",
        "5",
        "{'a': [1.0, 2.0]}",
    ]
