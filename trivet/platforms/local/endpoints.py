"""Endpoints as supervised server processes on the loopback address."""

from __future__ import annotations

import http.client
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from trivet.core.errors import ConfigError, NotFound, NotReady, PlatformError
from trivet.core.locks import lock
from trivet.core.outputs import EndpointShell
from trivet.core.platform import Endpoints, Store
from trivet.core.specs import EndpointNative, EndpointSpec, EndpointState, EndpointStatus, LocalEndpoint, Release
from trivet.platforms.local import supervisor
from trivet.platforms.local.logfile import read_log
from trivet.platforms.local.supervision import SERVER, Wanted, ask, running, stop, supervised
from trivet.platforms.packages import get_package

__all__ = ["LocalEndpoints", "stop"]

PACKAGES = "packages"
PROBE_SECONDS = 2.0
INVOKE_SECONDS = 30.0
BUSY = (429, 503, 504)


class LocalEndpoints(Endpoints):
    """One folder, one port and one supervisor per endpoint; each supervisor outlives the command that started it."""

    def __init__(
        self,
        shells: Mapping[str, EndpointShell],
        root: Path,
        store: Store,
        records: Path | str,
        public_key: str,
        check: Callable[[EndpointSpec], None],
        command: tuple[str, ...] = SERVER,
    ) -> None:
        """:param records: a folder, or the URL of an object store, which servers enter by their environment."""
        self._shells = shells
        self._root = root
        self._store = store
        self._records = records
        self._public_key = public_key
        self._check = check
        self._command = command

    def apply(self, spec: EndpointSpec) -> EndpointState:
        self._check(spec)
        shell, folder = self._shell(spec.name)
        with lock(folder / "apply.lock", f"Endpoint {spec.name}"):
            wanted = self._wanted(spec, shell, folder)
            if not self._serves(wanted, folder):
                get_package(self._store, wanted.release.digest, folder / _place(wanted.release), self._public_key)
                ask(folder, wanted)
                _remove_others(folder / PACKAGES, _place(wanted.release).name)
        return self._ready(spec.name)

    def state(self, name: str) -> EndpointState:
        shell, folder = self._shell(name)
        url = f"http://{shell.host}:{shell.port}"
        word = supervised(folder)
        if word is None:
            return EndpointState(name=name, status=EndpointStatus.EMPTY, url=url)
        if running(folder) is None and word.status != "failed":
            last = word.serving and f"{word.serving.release.model}/{word.serving.release.version}"
            again = f"`trivet deploy {last}` starts it again" if last else f"`trivet resume --endpoint {name}` does it"
            reason = f"No server runs: it was stopped, or the machine was started afresh; {again}."
            return EndpointState(name=name, status=EndpointStatus.STOPPED, url=url, reason=reason)
        told = EndpointState(
            name=name,
            status=EndpointStatus(word.status),
            url=url,
            reason=word.reason,
            since=word.since,
            restarts=word.restarts,
        )
        if word.status != "ready" or word.serving is None:
            return told
        try:
            return told.model_copy(update={"releases": (_answering(shell, word.serving.release),)})
        except (NotReady, PlatformError) as error:
            return told.model_copy(update={"status": EndpointStatus.FAILED, "reason": error.message})

    def held(self, name: str) -> EndpointSpec | None:
        _, folder = self._shell(name)
        state, word = self.state(name), supervised(folder)
        if not state.releases or word is None or word.serving is None:
            return None
        spec = EndpointSpec(name=name, releases=state.releases)
        wanted = Wanted.read(folder / supervisor.WANTED)
        if wanted.generation != word.serving.generation:  # a wish that came to nothing
            return spec
        native = EndpointNative(local=LocalEndpoint(restarts_per_minute=wanted.restarts_per_minute))
        return spec.model_copy(update={"records": wanted.server["records_mode"], "native": native})

    def invoke(self, name: str, request: dict[str, Any]) -> dict[str, Any]:
        shell, folder = self._shell(name)
        word = supervised(folder)
        if word is None or word.serving is None:
            raise NotReady(f"The endpoint {name} serves nothing.", "Deploy a release first.")
        path = f"/v2/models/{word.serving.release.model}/infer"
        status, answer = _exchange(shell, "POST", path, INVOKE_SECONDS, json.dumps(request).encode())
        if status == 200:
            return answer
        sentence = str(answer.get("error", f"The endpoint {name} answered {status}."))
        if status in BUSY:
            raise NotReady(sentence, "Try again.")
        raise ConfigError(sentence) if status < 500 else PlatformError(sentence)

    def delete(self, name: str) -> None:
        _, folder = self._shell(name)
        with lock(folder / "apply.lock", f"Endpoint {name}"):
            stop(folder)
            for file in (supervisor.STATE, supervisor.WANTED, supervisor.IDENTITY):
                (folder / file).unlink(missing_ok=True)
            shutil.rmtree(folder / PACKAGES, ignore_errors=True)

    def pause(self, name: str) -> EndpointState:
        _, folder = self._shell(name)
        with lock(folder / "apply.lock", f"Endpoint {name}"):
            stop(folder)
        return self.state(name)

    def resume(self, name: str) -> EndpointState:
        _, folder = self._shell(name)
        with lock(folder / "apply.lock", f"Endpoint {name}"):
            if not (folder / supervisor.WANTED).exists():
                raise NotReady(f"The endpoint {name} served nothing before.", "Deploy a release.")
            if running(folder) is None:
                ask(folder, Wanted.read(folder / supervisor.WANTED).again())
        return self._ready(name)

    def logs(self, name: str) -> Iterator[str]:
        _, folder = self._shell(name)
        return read_log(folder / supervisor.LOG)

    def _ready(self, name: str) -> EndpointState:
        state = self.state(name)
        if state.status is not EndpointStatus.READY:
            raise NotReady(f"The endpoint {name} is {state.status}: {state.reason}", "Its log may say why.")
        return state

    def _shell(self, name: str) -> tuple[EndpointShell, Path]:
        if name not in self._shells:
            there = ", ".join(self._shells) or "none"
            raise NotFound(f"The stack has no endpoint {name!r}; it has {there}.", "Name it in trivet:endpoints.")
        return self._shells[name], self._root / self._shells[name].folder

    def _wanted(self, spec: EndpointSpec, shell: EndpointShell, folder: Path) -> Wanted:
        [release] = spec.releases
        model = {
            "name": release.model,
            "version": str(release.version),
            "package": str(_place(release)),
            "digest": release.digest,
        }
        server = {
            "models": [model],
            "endpoint": spec.name,
            "public_key": self._public_key,
            "records": self._records_from(folder),
            "records_mode": spec.records,
            "drain_seconds": 0,  # no load balancer has to notice: the next server shares the socket
        }
        return Wanted.of(
            host=shell.host,
            port=shell.port,
            release=release,
            command=self._command,
            server=server,
            restarts_per_minute=spec.native.local.restarts_per_minute,
        )

    def _records_from(self, folder: Path) -> str:
        if isinstance(self._records, str):
            return self._records
        return os.path.relpath(self._records, folder)  # relative, so that the server survives a move

    def _serves(self, wanted: Wanted, folder: Path) -> bool:
        word, there = supervised(folder), running(folder)
        if not (word and there and word.serving and word.status == "ready" and there.is_in(folder)):
            return False
        return (
            word.serving.generation == wanted.generation
            and self.state(wanted.server["endpoint"]).status is EndpointStatus.READY
        )


def _place(release: Release) -> Path:
    return Path(PACKAGES, release.digest.removeprefix("sha256:"))


def _remove_others(folder: Path, kept: str) -> None:
    for package in folder.iterdir():
        if package.name != kept:
            shutil.rmtree(package)


def _answering(shell: EndpointShell, release: Release) -> Release:
    """The release as the server itself names it.

    :raises NotReady: when it does not.
    """
    status, answer = _exchange(shell, "GET", f"/v2/models/{release.model}", PROBE_SECONDS)
    if status != 200:
        raise NotReady(f"The server answered {status}: {answer.get('error', 'it gave no reason')}.")
    try:
        told = {"version": int(answer["versions"][0]), "digest": str(answer["parameters"]["package"])}
    except (LookupError, TypeError, ValueError) as error:
        raise _not_ours(shell) from error
    return release.model_copy(update=told)


def _exchange(
    shell: EndpointShell, method: str, path: str, seconds: float, body: bytes | None = None
) -> tuple[int, dict[str, Any]]:
    """One request and its JSON answer.

    :raises NotReady: when nobody answers in time.
    :raises PlatformError: for an answer that is no JSON object.
    """
    connection = http.client.HTTPConnection(shell.host, shell.port, timeout=seconds)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        response = connection.getresponse()
        answer = json.loads(response.read())
    except (OSError, http.client.HTTPException) as error:
        raise NotReady(f"Nothing answers at {shell.host}:{shell.port}.", "`trivet status` says why.") from error
    except ValueError as error:
        raise _not_ours(shell) from error
    finally:
        connection.close()
    if not isinstance(answer, dict):
        raise _not_ours(shell)
    return response.status, answer


def _not_ours(shell: EndpointShell) -> PlatformError:
    return PlatformError(f"What answers at {shell.host}:{shell.port} is not Trivet's server.")
