"""The function API over HTTP, as bare requests see it."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import msgspec
import pytest

from convex_async.local import LocalDeployment, Response
from convex_async.protocol.messages import format_timestamp, parse_timestamp
from tests.integration.backend import make_functions

VALUES = {
    "int": {"$integer": "KgAAAAAAAAA="},
    "bytes": {"$bytes": "AP8="},
    "nan": {"$float": "AAAAAAAA+H8="},
    "text": "é",
}
PLAIN = {"int": "42", "bytes": "AP8=", "nan": "NaN", "text": "é"}


def functions() -> Any:
    functions = make_functions()

    @functions.internal_query("admin/users:secret")
    async def secret(ctx: Any) -> str:
        return "secret"

    @functions.http_action("POST", "/hooks/*")
    async def hook(ctx: Any, request: Any) -> Response:
        return Response()

    @functions.query("notes:latest")
    async def latest(ctx: Any) -> Any:
        return len(await ctx.db.query("notes").collect())

    return functions


class Http:
    """Requests to one deployment."""

    def __init__(self, deployment: LocalDeployment, session: aiohttp.ClientSession) -> None:
        self.deployment = deployment
        self.session = session

    async def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **options: Any
    ) -> tuple[int, Any]:
        """Status and JSON body, or text, of an answer."""
        url = self.deployment.url + path
        async with self.session.request(method, url, headers=headers, **options) as response:
            data = await response.read()
            is_json = response.content_type == "application/json"
            return response.status, msgspec.json.decode(data) if is_json else data.decode()

    async def call(self, kind: str, path: str, args: Any, **more: Any) -> tuple[int, Any]:
        """A call as clients make it; `headers` are taken out of the body."""
        headers = more.pop("headers", None)
        body = {"path": path, "args": args, **more}
        return await self.ask("POST", f"/api/{kind}", headers, json=body)


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    async with (
        LocalDeployment(functions(), name="tall-tree-1") as deployment,
        aiohttp.ClientSession() as session,
    ):
        yield Http(deployment, session)


@pytest.mark.parametrize("args", [{"text": "1"}, [{"text": "1"}]], ids=["object", "array"])
async def test_arguments_come_in_two_forms(http: Http, args: Any) -> None:
    status, body = await http.call("mutation", "notes:add", args)
    assert (status, body["status"], body["logLines"]) == (200, "success", ["[LOG] 'adding 1'"])
    assert await http.call("query", "notes:latest", {}) == (200, {"status": "success", "value": 1})


@pytest.mark.parametrize(
    ("format", "header", "plain"),
    [
        ("json", None, True),
        ("convex_clean_json", None, True),
        ("convex_encoded_json", None, False),
        ("convex_json", "npm-1.48.0", False),
        (None, None, True),
        (None, "npm-1.48.0", True),
        (None, "npm-1.4.0", False),
        (None, "python-0.4.0", False),
    ],
)
async def test_formats(http: Http, format: str | None, header: str | None, plain: bool) -> None:
    headers = {} if header is None else {"Convex-Client": header}
    more: dict[str, Any] = {} if format is None else {"format": format}
    answer = await http.call("action", "notes:echo", {"value": VALUES}, headers=headers, **more)
    assert answer == (200, {"status": "success", "value": PLAIN if plain else VALUES})


@pytest.mark.parametrize("format", ["json", "convex_encoded_json"])
async def test_numbers_are_written_with_a_fraction(http: Http, format: str) -> None:
    value = '{"a":[0,-7,1.5,1e+300],"b":"1, 2 \\" 3","c":{"$integer":"AQAAAAAAAAA="}}'
    body = f'{{"path":"notes:echo","args":{{"value":{value}}},"format":"{format}"}}'
    headers = {"Content-Type": "application/json"}
    url = f"{http.deployment.url}/api/action"
    async with http.session.post(url, data=body, headers=headers) as response:
        text = await response.text()
    assert '"a":[0.0,-7.0,1.5,1e+300]' in text
    assert '"b":"1, 2 \\" 3"' in text


async def test_an_unknown_format_is_found_after_the_call(http: Http) -> None:
    status, body = await http.call("mutation", "notes:add", {"text": "1"}, format="xml")
    assert (status, body["code"]) == (400, "BadFormat")
    assert (await http.call("query", "notes:latest", {}))[1]["value"] == 1


async def test_function_errors_are_answers_of_status_200(http: Http) -> None:
    status, body = await http.call("mutation", "notes:add", {"text": ""})
    assert (status, body["status"], body["errorData"]) == (200, "error", {"code": "EMPTY"})
    assert body["errorMessage"].startswith("[Request ID: ")
    for path, args in (
        ("notes:nowhere", {}),
        ("notes:list", {"surplus": 1}),
        ("notes:add", {}),
        ("admin/users:secret", {}),
        ("notes:list", [{}, {}]),
        ("notes:list", 5),
    ):
        status, body = await http.call("query", path, args)
        assert (status, body["status"]) == (200, "error"), path
        assert "errorData" not in body


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        (b'{"path":"notes:list","args":{}}', "text/plain", "BadJsonBody"),
        (b'{"path":"notes:list","args":{}}', "application/ld+json", None),
        (b'{"path":"notes:list"}', "application/json", "BadJsonBody"),
        (b"nonsense", "application/json", "BadJsonBody"),
        (b'{"path":"my-notes:list","args":{}}', "application/json", "BadConvexFunctionIdentifier"),
        (b'{"path":"","args":{}}', "application/json", "BadConvexFunctionIdentifier"),
        (b" " * (16 * 2**20 + 2001), "application/json", "BadJsonBody"),
    ],
)
async def test_requests_that_cannot_be_read(
    http: Http, body: bytes, content_type: str, code: str | None
) -> None:
    headers = {"Content-Type": content_type}
    status, answer = await http.ask("POST", "/api/query", headers, data=io.BytesIO(body))
    assert (status, answer.get("code")) == (200 if code is None else 400, code)


async def test_a_query_by_get(http: Http) -> None:
    asked = {"path": "notes:count", "args": '{"tag":{"$integer":"AQAAAAAAAAA="}}'}
    answer = await http.ask("GET", "/api/query", params=asked)
    assert answer == (200, {"status": "success", "value": 0})
    status, body = await http.ask("GET", "/api/query", params={"path": "notes:list"})
    assert (status, body["code"]) == (400, "BadQueryArgs")


async def test_a_function_by_its_url(http: Http) -> None:
    admin = {"Authorization": f"Convex {http.deployment.admin_key}"}
    args: dict[str, Any] = {"args": {}}
    done = (200, {"status": "success", "value": "secret"})
    assert await http.ask("POST", "/api/run/admin/users/secret", admin, json=args) == done
    assert await http.ask("POST", "/api/run/admin%2Fusers/secret", admin, json=args) == done
    status, body = await http.ask("POST", "/api/run/notes", json=args)
    assert (status, body["code"]) == (400, "MissingIdentifier")
    status, body = await http.ask(
        "POST", "/api/run/notes/list", {"Convex-Client": "npm-1.4.0"}, json=args
    )
    assert body == {"status": "success", "value": []}


async def test_any_function_for_an_admin_alone(http: Http) -> None:
    path = "admin/users:secret"
    status, body = await http.call("function", path, {})
    assert (status, body["code"]) == (403, "BadDeployKey")
    admin = {"Authorization": f"Convex {http.deployment.admin_key}"}
    for more in ({}, {"componentPath": ""}):
        _, body = await http.call("function", path, {}, headers=admin, **more)
        assert body["value"] == "secret"
    root = {"componentPath": "waitlist"}
    status, body = await http.call("function", path, {}, headers=admin, **root)
    assert (status, body["code"]) == (400, "InvalidComponentPath")


async def test_the_specification_is_for_an_admin_alone(http: Http) -> None:
    spec = "_system/cli/modules:apiSpec"
    status, body = await http.call("query", spec, {})
    assert (status, body["status"]) == (200, "error")
    admin = {"Authorization": f"Convex {http.deployment.admin_key}"}
    _, body = await http.call("query", spec, {}, headers=admin)
    *entries, action = body["value"]
    assert action == {"functionType": "HttpAction", "method": "POST", "path": "/hooks/*"}
    kinds = {entry["identifier"]: entry["functionType"] for entry in entries}
    assert kinds["notes.js:add"] == "Mutation"
    assert kinds["admin/users.js:secret"] == "Query"


async def test_a_query_at_a_timestamp(http: Http) -> None:
    _, told = await http.ask("POST", "/api/query_ts")
    at = {"ts": told["ts"]}
    assert (await http.call("query_at_ts", "notes:latest", {}, **at))[1]["value"] == 0
    later = format_timestamp(parse_timestamp(told["ts"]) + 10**18)
    status, body = await http.call("query_at_ts", "notes:latest", {}, ts=later)
    assert (status, body["code"]) == (500, "InternalServerError")
    status, body = await http.call("query_at_ts", "notes:latest", {}, ts="AAA=")
    assert status == 500
    long_ago = format_timestamp(1)
    status, body = await http.call("query_at_ts", "notes:latest", {}, ts=long_ago)
    assert (status, body["code"]) == (503, "SnapshotOutOfRetention")


async def test_a_timestamp_is_good_for_a_while(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    await http.deployment.run("notes:add", {"text": "1"})
    _, first = await http.ask("POST", "/api/query_ts")
    assert await http.ask("POST", "/api/query_ts") == (200, first)
    await http.deployment.run("notes:clear")
    await http.deployment.run("notes:add", {"text": "2"})
    _, body = await http.call("query_at_ts", "notes:list", {}, **first)
    assert [note["text"] for note in body["value"]] == ["1"]
    monkeypatch.setattr("convex_async.local.server.http_api.SNAPSHOT_LEASE", 0.0)
    _, second = await http.ask("POST", "/api/query_ts")
    await http.deployment.run("notes:clear")
    status, body = await http.call("query_at_ts", "notes:list", {}, **second)
    kept = http.deployment._running().store._snapshots
    assert list(kept) == [parse_timestamp(first["ts"])]
    assert (status, body["code"]) == (503, "SnapshotOutOfRetention")


async def test_a_batch_is_of_one_state_with_an_answer_each(http: Http) -> None:
    queries = [
        {"path": "notes:latest", "args": {}},
        {"path": "notes:nowhere", "args": {}},
        {"path": "notes:count", "args": {"tag": 1}, "format": "convex_encoded_json"},
    ]
    status, body = await http.ask("POST", "/api/query_batch", json={"queries": queries})
    assert status == 200
    assert [result["status"] for result in body["results"]] == ["success", "error", "success"]


async def test_who_calls(http: Http) -> None:
    deployment = http.deployment
    key = deployment.admin_key
    ada = b64encode(b'{"issuer":"https://i","subject":"ada"}').decode()
    nobody, told = None, "ada"
    token = deployment.issue_token("ada")
    expected: list[tuple[str | None, str | None]] = [
        (None, nobody),
        (f"Bearer {token}", told),
        (f"bearer {token}", told),
        (f"Convex {key}", nobody),
        (f"convex prod:{key}", nobody),
        (f"Convex {key}:{ada}", told),
        (f"Convex dev:{key}:{ada}", told),
    ]
    for header, user in expected:
        headers = {} if header is None else {"Authorization": header}
        status, body = await http.call("query", "users:me", {}, headers=headers)
        assert (status, body.get("value", body)) == (200, user), header


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        ("x", 400, "InvalidHeaderFailure"),
        ("Basic abcdef", 400, "InvalidAdminKey"),
        ("Bearer naïve", 400, "HeaderParseFailure"),
        ("Bearer eyJhbGciOiJFUzI1NiJ9.W10.x", 401, "Unauthenticated"),  # claims: []
        ("Bearer eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOltdfQ.AAAA", 401, "NoAuthProvider"),  # iss: []
        ("Bearer nonsense", 401, "Unauthenticated"),
        ("Convex nonsense", 401, "BadAdminKey"),
        ("Convex local|nonsense", 401, "BadAdminKey"),
        ("Convex KEY:%%%", 400, "HeaderParseFailure"),
        ("Convex KEY:bm9uc2Vuc2U=", 400, "HeaderParseFailure"),
        ("Convex KEY:e30=", 400, "HeaderParseFailure"),
    ],
)
async def test_who_cannot_be_told(http: Http, header: str, status: int, code: str) -> None:
    header = header.replace("KEY", http.deployment.admin_key)
    answer = await http.call("query", "users:me", {}, headers={"Authorization": header})
    assert (answer[0], answer[1]["code"]) == (status, code)
    assert http.deployment.admin_key not in answer[1]["message"]


async def test_an_admin_key_in_the_url_counts_without_a_header(http: Http) -> None:
    call: dict[str, Any] = {"args": {}}
    url = "/api/run/admin/users/secret"
    key = {"adminKey": http.deployment.admin_key}
    _, body = await http.ask("POST", url, params=key, json=call)
    assert body["value"] == "secret"
    user = {"Authorization": f"Bearer {http.deployment.issue_token('ada')}"}
    _, body = await http.ask("POST", url, user, params=key, json=call)
    assert body["status"] == "error"


async def test_what_a_deployment_tells_of_itself(http: Http) -> None:
    assert await http.ask("GET", "/instance_name") == (200, "tall-tree-1")
    assert await http.ask("GET", "/version") == await http.ask("GET", "/instance_version")
    assert (await http.ask("GET", "/"))[0] == 200
    assert (await http.ask("GET", "/nowhere"))[0] == 404
    large = "x" * (17 * 2**20)
    assert await http.ask("POST", "/echo", data=io.BytesIO(large.encode())) == (200, large)


async def test_old_clients_are_told_over_http_too(http: Http) -> None:
    url = f"{http.deployment.url}/api/query"
    body = {"path": "notes:list", "args": {}}
    for version, status, state in (
        ("python-0.1.0", 200, "UpgradeRequired"),
        ("npm-0.1.0", 400, "Unsupported"),
    ):
        headers = {"Convex-Client": version}
        async with http.session.post(url, json=body, headers=headers) as response:
            assert response.status == status
            assert response.headers["x-convex-deprecation-state"] == state


async def test_every_origin_may_call(http: Http) -> None:
    url = f"{http.deployment.url}/api/query"
    origin = {"Origin": "https://app.example"}
    asked = {
        **origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "convex-client, authorization",
    }
    async with http.session.options(url, headers=asked) as response:
        assert response.status == 200
        told = response.headers
        assert told["Access-Control-Allow-Headers"] == "convex-client, authorization"
        assert "POST" in told["Access-Control-Allow-Methods"]
        assert told["Access-Control-Max-Age"] == "86400"
    bodies = ({"path": "notes:list", "args": {}}, {"path": "a-b", "args": {}})
    for body in bodies:  # errors are readable for a page, too
        async with http.session.post(url, json=body, headers=origin) as response:
            assert response.headers["Access-Control-Allow-Origin"] == "https://app.example"
            assert response.headers["Access-Control-Allow-Credentials"] == "true"
    async with http.session.post(url, json=bodies[0]) as response:
        assert "Access-Control-Allow-Origin" not in response.headers
