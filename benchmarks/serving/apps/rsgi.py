"""The bare app over Granian's own protocol."""

from __future__ import annotations

from typing import Any

import bare


async def app(scope: Any, protocol: Any) -> None:
    """One run of the model a request."""
    said = bare.answer(await protocol()) if scope.method == "POST" else b"{}"
    protocol.response_bytes(200, [("content-type", "application/json")], said)
