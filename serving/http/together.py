"""Models change in all worker processes or in none: once a load call has returned, no response comes from what was."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

from trivet.core.errors import NotFound, NotReady, PlatformError, TrivetError
from trivet.serving.config import ModelConfig, ServerConfig
from trivet.serving.folders import OwnFolder
from trivet.serving.http.worker import NotStarted, Worker

SECONDS = 5.0  # for a step that takes no time


class Published:
    """What every worker serves, or will when it starts."""

    def __init__(self, config: ServerConfig, fetched: OwnFolder) -> None:
        """:param fetched: where packages may lie that were fetched; removed when none of them is served any more."""
        self.ready = False
        self._fetched = fetched
        self._models = {model.name: model for model in config.models}

    def learn(self, said: list[str]) -> None:
        """Hold on to the packages that the first workers said they serve, so that no other worker serves others.

        :raises NotStarted: when they differ.
        """
        if len(set(said)) != 1:
            raise NotStarted("The packages changed while the workers loaded them; start again.")
        for model, digest in zip(self.documents(), said[0].split(","), strict=False):
            self._models[model.name] = model.model_copy(update={"digest": digest})
        self.ready = True

    def documents(self) -> tuple[ModelConfig, ...]:
        """The models, for the settings of a worker."""
        return tuple(self._models.values())

    def publish(self, model: ModelConfig) -> None:
        """From now on serve this version."""
        self._models[model.name] = model
        self._tidy()

    def withdraw(self, name: str) -> None:
        """From now on serve it no longer.

        :raises NotFound: when it is not served.
        """
        if name not in self._models:
            raise NotFound(f"The server has no model {name}.")
        del self._models[name]
        self._tidy()

    def _tidy(self) -> None:
        if not any(self._fetched.holds(model.package) for model in self._models.values()):
            self._fetched.remove()

    def index(self, *, ready_only: bool) -> list[dict[str, Any]]:
        """Triton's repository index."""
        state = "READY" if self.ready else "LOADING"
        if ready_only and not self.ready:
            return []
        return [
            {"name": name, "version": model.version, "state": state, "reason": ""}
            for name, model in self._models.items()
        ]


class Together:
    """What the workers do as one."""

    def __init__(self, published: Published, team: list[Worker], patience: float) -> None:
        """:param patience: seconds for a worker to load a model."""
        self.patience = patience
        self.changing = asyncio.Lock()  # nobody starts while the models change, and they do not while somebody starts
        self.models = published  # the admin plane asks it for the index
        self._team = team

    async def load(self, name: str, version: Any, repository: Path) -> dict[str, Any]:
        """Have every worker serve a version, or none.

        All load it beside the one that answers. Only then each is told to answer with it; one that cannot be told is
        killed, so that nobody answers with the old one when this returns.

        :raises Refused: when a worker does not load it.
        :raises NotReady: when none is there to ask, or one does not answer.
        """
        operation = f"/v2/repository/models/{name}/load"
        async with self.changing:
            described = await self._prepare(operation, {} if version is None else {"version": version})
            package = repository / name / described["version"]
            model = {"name": name, "version": described["version"], "digest": described["package"], "package": package}
            self.models.publish(ModelConfig.model_validate(model))
            await self._tell(operation, {"stage": "publish"})
        return described

    async def unload(self, name: str) -> None:
        """Have no worker serve a model.

        :raises NotFound: when they do not.
        """
        async with self.changing:
            self.models.withdraw(name)
            await self._tell(f"/v2/repository/models/{name}/unload", {})

    async def _prepare(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """One worker first: what it cannot load nobody needs to try. The others load the version that it found."""
        parameters = {**parameters, "stage": "prepare"}
        try:
            first, described = await self._prepare_one(operation, parameters)
            parameters["version"] = described["version"]
            others = [self._ask_living(one, operation, parameters) for one in self._ready() if one is not first]
            for answer in await asyncio.gather(*others, return_exceptions=True):
                if isinstance(answer, BaseException):
                    raise answer
                if answer not in (None, described):
                    raise PlatformError("The package changed while the workers loaded it.", "Load it again.")
        except TrivetError:
            discard = {"stage": "discard"}
            asked = [worker.ask(operation, discard, SECONDS) for worker in self._ready()]
            await asyncio.gather(*asked, return_exceptions=True)  # those who have none to discard say so
            raise
        return described

    async def _prepare_one(self, operation: str, parameters: dict[str, Any]) -> tuple[Worker, dict[str, Any]]:
        for worker in self._ready():
            if (described := await self._ask_living(worker, operation, parameters)) is not None:
                return worker, described
        raise NotReady("No worker is ready.", "Send it again in a second.")

    async def _ask_living(self, worker: Worker, operation: str, parameters: dict[str, Any]) -> dict[str, Any] | None:
        """What a worker answers; nothing where it died, since its successor loads what is published then."""
        try:
            return await worker.ask(operation, parameters, self.patience)
        except NotReady:
            with suppress(TimeoutError):
                await asyncio.wait_for(worker.ended.wait(), 1)
                return None
            raise

    async def _tell(self, operation: str, parameters: dict[str, Any]) -> None:
        """Have all do what is decided; those who do not are killed."""

        async def tell(worker: Worker) -> None:
            try:
                await worker.ask(operation, parameters, SECONDS)
            except TrivetError:
                worker.kill(f"Worker {worker.number} did not do what the others did.")
                await worker.ended.wait()

        await asyncio.gather(*(tell(worker) for worker in self._ready()))

    def _ready(self) -> list[Worker]:
        return [worker for worker in self._team if worker.ready]
