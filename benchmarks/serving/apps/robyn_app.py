"""The bare app over Robyn."""

from __future__ import annotations

import os
from typing import Any

import bare
from robyn import Response, Robyn  # pyright: ignore[reportMissingImports]

app = Robyn(__file__)
HEADERS = {"content-type": "application/json"}


@app.get("/health")
async def health() -> str:
    return "{}"


@app.post("/predict")
async def predict(request: Any) -> Any:
    body = request.body
    said = bare.answer(body.encode() if isinstance(body, str) else bytes(body))
    return Response(status_code=200, headers=HEADERS, description=said)


app.start(host="127.0.0.1", port=int(os.environ["PORT"]))
