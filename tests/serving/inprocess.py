"""Requests to an application without a socket."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NamedTuple

from trivet.serving.http.app import App
from trivet.serving.http.message import Request, head_of
from trivet.serving.http.reply import Reply


class Response(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def exchange(app: App, method: str, path: str, body: bytes | dict, headers: dict[str, str]) -> Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = Request(method, path, {name.lower().encode(): value.encode() for name, value in headers.items()}, data)

    async def run() -> Reply:
        app.answer([request])
        assert request.answer is not None
        return request.answer if isinstance(request.answer, Reply) else await request.answer

    reply = asyncio.run(run())
    assert all(b"\n" not in value and b"\r" not in value for _, value in reply.headers)
    _, *lines = head_of(reply, request.id, keep=not app.draining).decode().split("\r\n")
    told = dict(line.split(": ", 1) for line in lines if line)
    return Response(reply.status, told, reply.body)
