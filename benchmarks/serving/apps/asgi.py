"""The bare app as ASGI functions without a framework: `onnx` and `batched`."""

from __future__ import annotations

from typing import Any

import bare

HEADERS = (b"content-type", b"application/json")
batcher = bare.Batcher()


async def _body(receive: Any) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def _reply(send: Any, body: bytes) -> None:
    headers = [HEADERS, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def onnx(scope: Any, receive: Any, send: Any) -> None:
    """One run of the model a request."""
    if scope["type"] == "http":
        body = await _body(receive)
        await _reply(send, bare.answer(body) if scope["method"] == "POST" else b"{}")


async def batched(scope: Any, receive: Any, send: Any) -> None:
    """One run of the model for all requests of a turn."""
    if scope["type"] == "http":
        body = await _body(receive)
        await _reply(send, await batcher.answer(body) if scope["method"] == "POST" else b"{}")
