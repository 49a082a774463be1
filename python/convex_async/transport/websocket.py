"""A transport over an aiohttp WebSocket."""

from __future__ import annotations

import asyncio
import ssl

import aiohttp
from aiohttp import ClientWebSocketResponse, WSMsgType

from convex_async.errors import LocalProtocolError, RemoteProtocolError, TransportError
from convex_async.transport.base import TOO_LARGE, ConnectionClosed
from convex_async.transport.receive_buffers import keep_receive_buffers


class WebSocketTransport:
    """One open WebSocket, which takes and gives text frames as bytes."""

    def __init__(
        self, socket: ClientWebSocketResponse[bool], stream: asyncio.Transport | None
    ) -> None:
        self._socket = socket
        self._stream = stream

    @property
    def is_clear(self) -> bool:
        return self._stream is not None and not self._stream.get_write_buffer_size()

    async def send(self, frame: bytes) -> None:
        try:
            await self._socket.send_frame(frame, WSMsgType.TEXT)
        except (aiohttp.ClientError, ConnectionError) as error:
            raise ConnectionClosed("FailedToSendMessage") from error

    async def receive(self) -> bytes | None:
        message = await self._socket.receive()
        match message.type:
            case WSMsgType.TEXT:
                return bytes(message.data)
            case WSMsgType.PING:
                try:
                    await self._socket.pong(message.data)
                except (aiohttp.ClientError, ConnectionError) as error:
                    raise ConnectionClosed("FailedToSendMessage") from error
                return None
            case WSMsgType.PONG:
                return None
            case WSMsgType.CLOSE if message.data == 1009:
                raise ConnectionClosed(f"{TOO_LARGE} {message.extra or ''}".strip())
            case WSMsgType.CLOSE:
                raise ConnectionClosed(message.extra or f"closed with code {message.data}")
            case WSMsgType.BINARY:
                raise ConnectionClosed("ProtocolError: a binary frame")
            case WSMsgType.ERROR:
                raise ConnectionClosed(f"ProtocolError: {message.data}")
            case _:
                raise ConnectionClosed("closed with code 1006")

    async def close(self, *, timeout: float) -> None:
        try:
            async with asyncio.timeout(timeout):
                await self._socket.close()
        except (TimeoutError, aiohttp.ClientError, OSError):
            pass  # a cancelled close has let go of the socket as well


class WebSocketConnector:
    """Opens WebSockets to one deployment.

    Args:
        url: the sync URL, `wss://…/api/sync`.
        client: the value of the `Convex-Client` header.
        max_message_size: bytes of the largest frame that is taken.
        compress: offer permessage-deflate.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        *,
        client: str,
        max_message_size: int,
        compress: bool,
    ) -> None:
        self._session = session
        self._url = url
        self._headers = {"Convex-Client": client}
        self._max_message_size = max_message_size
        # aiohttp writes the offer `permessage-deflate; client_max_window_bits`, one of the two
        # that the server knows (convex-backend crates/local_backend/src/subs/mod.rs).
        self._compress = 15 if compress else 0

    async def __call__(self) -> WebSocketTransport:
        keep_receive_buffers()
        if self._session.closed:
            raise LocalProtocolError(
                "the session that the client was given is closed: close the client first, or "
                "let it make a session of its own"
            )
        try:
            socket = await self._session.ws_connect(
                self._url,
                headers=self._headers,
                autoclose=False,
                autoping=False,  # a ping is a sign of life that the driver wants to see
                decode_text=False,
                max_msg_size=self._max_message_size,
                compress=self._compress,
            )
        except aiohttp.WSServerHandshakeError as error:
            headers = error.headers
            if headers and headers.get("x-convex-deprecation-state") == "Unsupported":
                message = headers.get("x-convex-deprecation-message", "no reason given")
                raise RemoteProtocolError(
                    f"the deployment refuses this version of the client: {message}"
                ) from None
            raise TransportError(
                f"the deployment refused the WebSocket upgrade with HTTP status {error.status}"
            ) from error
        except (aiohttp.ClientError, OSError, ssl.SSLError, ValueError) as error:
            raise TransportError(f"no connection to {self._url}: {error}") from error
        # ws_connect has no switch against following redirects, and tells of them nowhere else.
        # Nothing was sent on the socket yet: a token goes where the user said, or nowhere.
        if socket._response.history:
            socket._response.close()
            raise TransportError(
                f"{self._url} redirects to {socket._response.url.origin()}; an upgrade is not "
                "redirected: is the URL right?"
            )
        connection = socket._response.connection
        return WebSocketTransport(socket, connection and connection.transport)
