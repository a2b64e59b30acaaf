"""What a server serves: one version of each model, exchanged in one step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from trivet.core.errors import NotFound, NotReady
from trivet.serving.service import Service


class Models:
    """Services by the name of their model. Reading needs no lock: every change replaces the whole mapping.

    Required models are those without which the server is not ready; where none are required, any model will do, but an
    empty server is never ready.
    """

    def __init__(self, required: Iterable[tuple[str, str]] = ()) -> None:
        """:param required: names with the versions that are about to be loaded."""
        self.versions = dict(required)
        self.services: Mapping[str, Service] = MappingProxyType({})

    @property
    def ready(self) -> bool:
        """Whether every required model, and at least one, is loaded and has answered its golden request."""
        return bool(self.services) and self.versions.keys() <= self.services.keys()

    def publish(self, service: Service) -> None:
        """Serve this version of its model from the next request on, in place of any other."""
        self._replace({**self.services, service.model: service})
        if service.model in self.versions:
            self.versions[service.model] = service.version

    def withdraw(self, model: str) -> None:
        """Serve this model no longer, nor ask for it.

        :raises NotFound: when it is not served.
        """
        if model not in self.services:
            raise NotFound(f"The server has no model {model}.")
        self.versions.pop(model, None)
        self._replace({name: service for name, service in self.services.items() if name != model})

    def get(self, model: str) -> Service:
        """The service of a model.

        :raises NotReady: when it is required and not loaded yet.
        :raises NotFound: when nobody said that there would be one.
        """
        if (service := self.services.get(model)) is not None:
            return service
        if model in self.versions:
            raise NotReady(f"Model {model} is not loaded yet.", "Ask again in a second.")
        raise NotFound(f"This server has no model {model[:64]!r}; it has {self._named()}.")

    def only(self) -> Service:
        """The service of a server with one model, for the protocols that name none.

        :raises NotReady: when it is not loaded yet.
        :raises NotFound: when there are several, or there will be none.
        """
        names = self.services.keys() | self.versions.keys()
        if len(names) == 1:
            [name] = names
            return self.get(name)
        if names:
            raise NotFound(f"This route names no model and the server has {self._named()}.", "Use a route that does.")
        raise NotReady("This server has no model yet.", "Ask again in a second.")

    def index(self, *, ready_only: bool) -> list[dict[str, Any]]:
        """Triton's repository index: every model with its version and state."""
        loaded = [
            {"name": name, "version": service.version, "state": "READY", "reason": ""}
            for name, service in self.services.items()
        ]
        waiting = [
            {"name": name, "version": version, "state": "LOADING", "reason": ""}
            for name, version in self.versions.items()
            if name not in self.services
        ]
        return loaded if ready_only else loaded + waiting

    def named(self) -> dict[str, str]:
        """The version of every model that is loaded or about to be."""
        return self.versions | {name: service.version for name, service in self.services.items()}

    def _named(self) -> str:
        return ", ".join(sorted(self.named())) or "none"

    def _replace(self, services: dict[str, Service]) -> None:
        self.services = MappingProxyType(services)
