"""The bare app over BlackSheep."""

from __future__ import annotations

import bare
from blacksheep import Application, Content, Request, Response  # pyright: ignore[reportMissingImports]

app = Application()


@app.router.get("/health")
async def health() -> Response:
    return Response(200, content=Content(b"application/json", b"{}"))


@app.router.post("/predict")
async def predict(request: Request) -> Response:
    body = await request.read()
    return Response(200, content=Content(b"application/json", bare.answer(body or b"")))
