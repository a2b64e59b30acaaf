"""The fake of Google Cloud as the stand-in asks it: what a real provider sends, over REST."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

from trivet.core.errors import NotFound, PlatformError
from trivet.core.waiting import wait_for
from trivet.rehearsal.plugins.kinds import Account, Taken

_OPENER = build_opener(ProxyHandler({}))  # loopback is asked directly, whatever proxy the environment names
_MISSING, _CONFLICT = 404, 409
_ANSWER_S, _OPERATION_S = 60, 120


@dataclass(frozen=True)
class Fake:
    """Where it answers."""

    address: str

    def ask(self, verb: str, path: str, body: Mapping[str, Any] | None = None, **parameters: Any) -> dict[str, Any]:
        """One request; a long-running operation is waited for.

        :raises NotFound: when what is asked for is not there.
        :raises Taken: when what is to be made is.
        :raises PlatformError: for every other refusal, in the fake's words.
        """
        query = f"?{urlencode(parameters)}" if parameters else ""
        data = None if body is None else json.dumps(body).encode()
        request = Request(  # noqa: S310  the guards let loopback through only
            f"{self.address}{path}{query}", data, {"Content-Type": "application/json"}, method=verb
        )
        try:
            with _OPENER.open(request, timeout=_ANSWER_S) as answer:
                found = json.loads(answer.read() or b"{}")
        except HTTPError as error:
            raise _told(error) from error
        return self._ended(found) if "/operations/" in found.get("name", "") else found

    def _ended(self, operation: dict[str, Any]) -> dict[str, Any]:
        path = f"/ui/{operation['name']}" if operation["name"].startswith("/") else f"/v1/{operation['name']}"

        def done() -> dict[str, Any] | None:
            found = self.ask_once(path)
            return found if found.get("done") else None

        ended = operation if operation.get("done") else wait_for(done, "The operation", seconds=_OPERATION_S)
        if "error" in ended:
            raise PlatformError(ended["error"]["message"])
        return ended.get("response", {})

    def ask_once(self, path: str) -> dict[str, Any]:
        """A read whose answer is an operation, and is not waited for."""
        with _OPENER.open(f"{self.address}{path}", timeout=_ANSWER_S) as answer:
            return json.loads(answer.read())


@dataclass(frozen=True)
class GcpAccount(Account):
    """Whose objects a provider serves, and the fake in which some of them lie; none: all are in the strict store."""

    fake: Fake | None = None


def named() -> Fake | None:
    """The fake that the environment leads to."""
    address = os.environ.get("STORAGE_EMULATOR_HOST")
    return Fake(address) if address else None


def _told(error: HTTPError) -> Exception:
    said = error.read().decode(errors="replace")
    with contextlib.suppress(ValueError, KeyError, TypeError):
        said = json.loads(said)["error"]["message"]
    if error.code == _MISSING:
        return NotFound(said)
    return Taken(said) if error.code == _CONFLICT else PlatformError(said)
