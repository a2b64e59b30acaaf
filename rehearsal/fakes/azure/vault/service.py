"""The door of Key Vault's keys; ref Key Vault, Keys, version 7.4 and later."""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from trivet.rehearsal.fakes.azure.names import KEYS, LOGIN, TENANT, left_out
from trivet.rehearsal.fakes.azure.refusals import JSON
from trivet.rehearsal.fakes.azure.vault.keys import Key, decoded, encoded
from trivet.rehearsal.fakes.refusing import Answer, Refused
from trivet.rehearsal.fakes.server import Request

if TYPE_CHECKING:
    from trivet.rehearsal.fakes.azure.world import World

RECOVERABLE = 90  # days that a vault keeps what is deleted, unless it says fewer
_NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")
_VAULT = re.compile(r"(?=.{3,24}$)[a-zA-Z](?:-?[a-zA-Z0-9])*")
_CHALLENGE = [("WWW-Authenticate", 'Bearer authorization="https://{}/{}", resource="https://vault.azure.net"')]
_SNAKE = re.compile(r"(?<!^)(?=[A-Z])")
_VERBS = ("create", "versions", "recover", "sign", "verify")
_ROUTES: dict[tuple[str, str, str, tuple[int, ...]], str] = {  # verb, what of, last word, words after what of
    ("POST", "keys", "create", (2,)): "CreateKey",
    ("GET", "keys", "", (0,)): "GetKeys",
    ("GET", "keys", "", (1, 2)): "GetKey",
    ("GET", "keys", "versions", (2,)): "GetKeyVersions",
    ("DELETE", "keys", "", (1,)): "DeleteKey",
    ("POST", "keys", "sign", (2, 3)): "Sign",
    ("POST", "keys", "verify", (2, 3)): "Verify",
    ("GET", "deletedkeys", "", (1,)): "GetDeletedKey",
    ("DELETE", "deletedkeys", "", (1,)): "PurgeDeletedKey",
    ("POST", "deletedkeys", "recover", (2,)): "RecoverDeletedKey",
}
OPERATIONS = frozenset(_ROUTES.values())


class Vault:
    """One vault: versions of keys by name, the newest last; the deleted ones apart."""

    def __init__(self) -> None:
        self.keys: dict[str, list[Key]] = {}
        self.deleted: dict[str, list[Key]] = {}


class Vaults:
    """Answers what ``operation`` names."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._vaults: dict[str, Vault] = {}
        self._lock = threading.Lock()

    def operation(self, request: Request) -> tuple[str, str]:
        """What a request asks for, and of what; empty where for nothing known."""
        found = self._find(request)
        return (found[0] if found else ""), f"{_vault(request)}{request.path}"

    def answer(self, request: Request) -> Answer:
        """One request.

        :raises Refused: as Key Vault does.
        """
        self._check_bearer(request)
        found = self._find(request)
        if found is None:
            raise left_out(f"operation of Key Vault at {request.method} {request.path}")
        try:
            body = json.loads(request.body or b"{}")
        except ValueError as error:
            raise Refused("BadParameter", "The request body is no JSON.") from error
        with self._lock:
            status, content = found[1](self._at(request), request, body)
        return status, list(JSON), json.dumps(content).encode() if content is not None else b""

    def forget(self) -> None:
        """Hold nothing."""
        self._vaults.clear()

    def _at(self, request: Request) -> Vault:
        name = _vault(request)
        said = f"The vault name {name} is invalid: 3 to 24 letters, digits and single dashes."
        self._world.constraints.demand("vault-names", bool(_VAULT.fullmatch(name)), Refused("BadParameter", said))
        return self._vaults.setdefault(name, Vault())

    def _check_bearer(self, request: Request) -> None:
        headers = [(name, text.format(LOGIN, TENANT)) for name, text in _CHALLENGE]
        given = request.headers.get("authorization", "")
        self._world.tokens.check(
            given, "keyvault", lambda said: Refused("Unauthorized", said, 401, {"headers": headers})
        )

    def _find(self, request: Request) -> tuple[str, Callable[[Vault, Request, Any], tuple[int, Any]]] | None:
        kind, *rest = request.segments()
        last = rest[-1] if len(rest) > 1 and rest[-1] in _VERBS else ""
        for (method, of, verb, sizes), operation in _ROUTES.items():
            if (request.method, kind, last) == (method, of, verb) and len(rest) in sizes:
                return operation, getattr(self, f"_{_SNAKE.sub('_', operation).lower()}")
        return None

    def _create_key(self, vault: Vault, request: Request, body: Any) -> tuple[int, Any]:
        name = request.segments()[1]
        demand = self._world.constraints.demand
        said = f"The request URI contains an invalid name: {name}"
        demand("vault-names", bool(_NAME.fullmatch(name)), Refused("BadParameter", said))
        said = f"Key {name} is currently in a deleted but recoverable state, and its name cannot be reused."
        inner = {"innererror": {"code": "ObjectIsDeletedButRecoverable"}}
        demand("soft-delete", name not in vault.deleted, Refused("Conflict", said, 409, inner))
        address = f"https://{_vault(request)}.{KEYS}/keys/{name}/{uuid.uuid4().hex}"
        key = Key(address, body, lambda met, said: demand("key-kinds", met, Refused("BadParameter", said)))
        vault.keys.setdefault(name, []).append(key)
        return 200, key.shown()

    def _get_key(self, vault: Vault, request: Request, _body: Any) -> tuple[int, Any]:
        return 200, _key(vault.keys, request).shown()

    def _get_keys(self, vault: Vault, _request: Request, _body: Any) -> tuple[int, Any]:
        newest = [versions[-1] for _, versions in sorted(vault.keys.items())]
        return 200, {"value": [key.item(key.name_id) for key in newest], "nextLink": None}

    def _get_key_versions(self, vault: Vault, request: Request, _body: Any) -> tuple[int, Any]:
        found = vault.keys.get(request.segments()[1], [])
        return 200, {"value": [key.item(key.id) for key in found], "nextLink": None}

    def _delete_key(self, vault: Vault, request: Request, _body: Any) -> tuple[int, Any]:
        name = request.segments()[1]
        _key(vault.keys, request)
        vault.deleted[name] = vault.keys.pop(name)
        for key in vault.deleted[name]:
            key.deleted = int(time.time())
        return 200, self._gone(request, vault.deleted[name][-1])

    def _get_deleted_key(self, vault: Vault, request: Request, _body: Any) -> tuple[int, Any]:
        return 200, self._gone(request, _key(vault.deleted, request))

    def _purge_deleted_key(self, vault: Vault, request: Request, _body: Any) -> tuple[int, Any]:
        _key(vault.deleted, request)
        del vault.deleted[request.segments()[1]]
        return 204, None

    def _recover_deleted_key(self, vault: Vault, request: Request, _body: Any) -> tuple[int, Any]:
        name = request.segments()[1]
        key = _key(vault.deleted, request)
        vault.keys[name] = vault.deleted.pop(name)
        return 200, key.shown()

    def _sign(self, vault: Vault, request: Request, body: Any) -> tuple[int, Any]:
        key = _key(vault.keys, request)
        signature = key.sign(str(body.get("alg")), decoded(body.get("value", "")), self._demand)
        return 200, {"kid": key.id, "value": encoded(signature)}

    def _verify(self, vault: Vault, request: Request, body: Any) -> tuple[int, Any]:
        key = _key(vault.keys, request)
        alg, digest, signature = str(body.get("alg")), decoded(body.get("digest", "")), decoded(body.get("value", ""))
        return 200, {"value": key.verify(alg, digest, signature, self._demand)}

    def _demand(self, met: bool, said: str) -> None:
        self._world.constraints.demand("key-kinds", met, Refused("BadParameter", said))

    def _gone(self, request: Request, key: Key) -> dict[str, Any]:
        name = request.segments()[1]
        until = key.deleted + RECOVERABLE * 86400
        where = f"https://{_vault(request)}.{KEYS}/deletedkeys/{name}"
        return {**key.shown(), "recoveryId": where, "deletedDate": key.deleted, "scheduledPurgeDate": until}


def _vault(request: Request) -> str:
    return request.host.removesuffix(f".{KEYS}")


def _key(held: dict[str, list[Key]], request: Request) -> Key:
    """The version that a path names, or the newest.

    :raises Refused: where there is none.
    """
    _, name, *rest = request.segments()
    versions = held.get(name, [])
    wanted = rest[0] if rest and rest[0] not in ("sign", "verify", "recover") else ""
    found = [key for key in versions if not wanted or key.id.endswith(f"/{wanted}")]
    if not found:
        said = f"A key with (name/id) {name}/{wanted} was not found in this key vault."
        raise Refused("KeyNotFound", said, 404)
    return found[-1]
