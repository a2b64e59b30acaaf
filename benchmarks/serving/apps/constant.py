"""The floor of ASGI: the body is read and dropped, the answer is always the same."""

from __future__ import annotations

from typing import Any

SAID = b'{"predictions":[0.5]}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"21")]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI function without a framework."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": SAID})
