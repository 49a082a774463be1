"""A web service over Convex: one client for the app, one identity a request, live queries by SSE.

    convex-async serve examples.fastapi_app.backend:functions --port 3210
    CONVEX_URL=http://127.0.0.1:3210 uvicorn examples.fastapi_app.app:app

`POST /tasks` and `GET /tasks` run as the caller, whose token goes on to the deployment.
`GET /tasks/live` streams every new state of the list, as server-sent events.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel

from convex_async import (
    AuthError,
    ConvexClient,
    ConvexError,
    ConvexHttpClient,
    Subscription,
    TransportError,
)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Both clients live as long as the app: one socket, one pool of connections."""
    async with ConvexClient.from_env() as live, ConvexHttpClient.from_env() as http:
        app.state.live, app.state.http = live, http
        yield


app = FastAPI(lifespan=lifespan)


class NewTask(BaseModel):
    text: str


def caller(
    request: Request, authorization: Annotated[str | None, Header()] = None
) -> ConvexHttpClient:
    """The client as the request's user: a view, which costs nothing."""
    client: ConvexHttpClient = request.app.state.http
    if authorization is None:
        return client
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise HTTPException(401, "send `Authorization: Bearer <token>`")
    return client.with_auth(token)


Caller = Annotated[ConvexHttpClient, Depends(caller)]


@app.exception_handler(ConvexError)
async def refused(_request: Request, error: ConvexError) -> JSONResponse:
    return JSONResponse({"error": error.data}, 400)


@app.exception_handler(AuthError)
async def unauthorized(_request: Request, _error: AuthError) -> JSONResponse:
    return JSONResponse({"error": "the token was refused"}, 401)


@app.exception_handler(TransportError)
async def unavailable(_request: Request, error: TransportError) -> JSONResponse:
    headers = {"Retry-After": "1"} if error.retryable else None
    return JSONResponse({"error": "the deployment can't be reached"}, 503, headers)


@app.get("/tasks")
async def list_tasks(client: Caller) -> list[dict[str, Any]]:
    return await client.query("tasks:list", type=list[dict[str, Any]])


@app.post("/tasks", status_code=201)
async def create_task(task: NewTask, client: Caller) -> dict[str, str]:
    return {"id": await client.mutation("tasks:create", {"text": task.text}, type=str)}


@app.get("/tasks/live")
async def live_tasks(request: Request) -> StreamingResponse:
    """Every browser has a subscription of its own; on the deployment they are one query."""
    client: ConvexClient = request.app.state.live
    return StreamingResponse(events(client.subscribe("tasks:list")), media_type="text/event-stream")


async def events(subscription: Subscription[Any]) -> AsyncIterator[bytes]:
    """Each state as plain JSON, straight from the wire. A browser that goes away cancels this."""
    async with subscription:
        async for body in subscription.json():
            yield b"data: " + body + b"\n\n"
