"""The admin plane: loads and unloads models, on a socket of its own and for those who have the token.

Triton's model repository extension, over packages that lie in a folder of the server's: nobody names a path. To load a
version is one step for its clients: verify, load, golden request, then it answers in place of the one before. Where
several processes must change together, ``stage`` makes it two: ``prepare`` keeps the loaded model aside, ``publish``
or ``discard`` decide.
Source: https://github.com/triton-inference-server/server, docs/protocol/extension_model_repository.md.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Sequence
from hmac import compare_digest
from pathlib import Path
from typing import Any, Self

from trivet.core.errors import ConfigError, NotFound, TrivetError
from trivet.core.signing import key_id
from trivet.serving.config import SEGMENT, AdminSettings, ModelConfig, ServerConfig
from trivet.serving.errors import BadInput, Unloadable
from trivet.serving.http.app import App
from trivet.serving.http.message import Bounds, Request
from trivet.serving.http.reply import Reply, error_reply, json_reply, refusal
from trivet.serving.http.server import Plane
from trivet.serving.http.sockets import UnixSocket, bind
from trivet.serving.loader import load
from trivet.serving.log import Log
from trivet.serving.service import Service
from trivet.serving.wire import v2
from trivet.serving.wire.base import an_object, parameters_of, parse, refuse_twins

NAME = re.compile(SEGMENT)
INDEX = "/v2/repository/index"
OPERATION = re.compile(r"/v2/repository/models/([^/]+)/(load|unload)")
PATIENCE = 2.0  # seconds for what is in hand when the server leaves
STAGES = ("", "prepare", "publish", "discard")


class Admin:
    """What answers on the admin plane."""

    draining = False
    max_body_bytes = 64 << 10

    def __init__(self, config: ServerConfig, settings: AdminSettings, app: App, log: Log) -> None:
        """Read the token.

        :raises ConfigError: when others may read its file, or it is empty.
        """
        self._config = config
        self._repository = settings.repository
        self._token = read_token(settings.token_file)
        self._app = app
        self._log = log
        self._prepared: dict[str, Service] = {}
        self._one_at_a_time = asyncio.Lock()

    def admit(self, request: Request) -> Reply | None:  # noqa: ARG002
        """Nothing is refused before it came whole: bodies are small here."""
        return None

    def give_up(self, request: Request | None, status: int) -> Reply:
        """Say that a request is not waited for."""
        self._note(request.path if request else "", status, "Incomplete")
        reply = error_reply(status, "The request is not valid, too large or too slow.")
        if request is None:
            return reply._replace(id=secrets.token_hex(8))
        request.id = request.id or secrets.token_hex(8)
        return reply

    def answer(self, requests: Sequence[Request]) -> None:
        """Answer whole requests."""
        for request in requests:
            request.id = request.id or secrets.token_hex(8)
            request.answer = asyncio.ensure_future(self._answer(request))

    async def _answer(self, request: Request) -> Reply:
        try:
            reply = await self._permitted(request)
        except Exception as error:  # noqa: BLE001  whatever it is, the client gets an answer
            reply = refusal(error, request.id)
        self._note(request.path, reply.status, reply.failure)
        return reply

    async def _permitted(self, request: Request) -> Reply:
        if not self._may(request.fields.get(b"authorization", b"")):
            return error_reply(401, "The admin plane asks for its token.", ((b"www-authenticate", b"Bearer"),))
        operation = OPERATION.fullmatch(request.path)
        if request.path != INDEX and operation is None:
            raise NotFound("The admin plane has no such route.")
        if request.method != "POST":
            return error_reply(405, "This route takes POST.", ((b"allow", b"POST"),))
        if operation is None:
            return json_reply(self._app.models.index(ready_only=v2.index_wants_ready_only(request.body)))
        name, verb = operation.groups()
        if not NAME.fullmatch(name):
            raise BadInput("A model's name is made of letters, digits, dot, dash and underscore.")
        parameters = _parameters(request.body) if request.body else {}
        async with self._one_at_a_time:
            if verb == "load":
                return await self._load(name, parameters)
            return await self._unload(name)

    async def _unload(self, name: str) -> Reply:
        self._app.withdraw(name)
        return json_reply({"name": name})

    def _note(self, path: str, status: int, failure: str) -> None:
        self._log.event("info" if status < 400 else "warning", "admin", path=path[:256], status=status, failure=failure)

    async def _load(self, name: str, parameters: dict[str, Any]) -> Reply:
        stage = parameters.get("stage", "")
        if stage not in STAGES:
            raise BadInput(f"A stage is one of {', '.join(STAGES[1:])}.")
        if stage in ("", "prepare"):
            model = self._find(name, parameters.get("version"))
            try:
                self._prepared[name] = await asyncio.to_thread(load, self._config, model)
            except TrivetError as error:
                raise Unloadable(error.message, error.next_step) from error
        if stage == "prepare":
            return json_reply(_described(self._prepared[name]))
        service = self._prepared.pop(name, None)
        if service is None:
            raise NotFound(f"No version of {name} is prepared.", "Prepare one first.")
        if stage != "discard":
            self._app.publish(service)
            key = key_id(self._config.public_key) if self._config.public_key else None
            self._log.event("info", "loaded", **_described(service), key=key)
        return json_reply(_described(service))

    def _find(self, name: str, version: Any) -> ModelConfig:
        folder = self._repository / name
        there = _versions(folder)
        if version is None:
            version = max(there, key=_newest, default="")
        if type(version) is not str or version not in there:
            raise NotFound(f"The repository has no version {str(version)[:64]!r} of {name}; it has {', '.join(there)}.")
        return ModelConfig(name=name, version=version, package=folder / version)

    def _may(self, authorization: bytes) -> bool:
        scheme, _, token = authorization.partition(b" ")
        return compare_digest(token, self._token) and scheme.lower() == b"bearer"


def _parameters(body: bytes) -> dict[str, Any]:
    parameters = parameters_of(an_object(parse(body), "The body"), "The request")
    refuse_twins(0, body)
    return parameters


class AdminPlane:
    """The admin plane where it listens: on a Unix socket, or on a port of the loopback address."""

    def __init__(self, plane: Plane, unix: UnixSocket | None) -> None:
        self._plane = plane
        self._unix = unix

    @classmethod
    async def open(cls, admin: Admin, config: ServerConfig, settings: AdminSettings) -> Self:
        """Begin to listen.

        :raises PlatformError: when nothing can listen there.
        """
        deadline = config.deadline_seconds
        plane = Plane(admin, Bounds(deadline, config.idle_seconds, 2 * deadline))
        unix = None if settings.socket is None else UnixSocket(settings.socket)
        await plane.begin(bind("127.0.0.1", settings.port or 0) if unix is None else unix.listener)
        return cls(plane, unix)

    async def close(self) -> None:
        """Finish what is in hand, and take the socket away."""
        await self._plane.end(0, PATIENCE)
        if self._unix is not None:
            self._unix.remove()


def read_token(path: Path) -> bytes:
    """The token of the admin plane.

    :raises ConfigError: when it cannot be read, is shorter than sixteen characters, or others may read it.
    """
    try:
        mode, token = path.stat().st_mode, path.read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"The token file {path} cannot be read: {error.strerror}.") from error
    if mode & 0o077:
        raise ConfigError(f"Others may read the token file {path}.", "Make it readable by its owner only: chmod 600.")
    if len(token) < 16:
        raise ConfigError(f"The token in {path} is shorter than sixteen characters.", "Write a long random one.")
    return token


def _versions(folder: Path) -> list[str]:
    """The versions of a model in the repository; links are none."""
    if not folder.is_dir() or folder.is_symlink():
        return []
    return sorted(one.name for one in folder.iterdir() if NAME.fullmatch(one.name) and _is_folder(one))


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _newest(version: str) -> tuple[int, str]:
    return (int(version) if version.isdigit() else -1, version)


def _described(service: Service) -> dict[str, str]:
    return {"name": service.model, "version": service.version, "package": service.engine.digest}
