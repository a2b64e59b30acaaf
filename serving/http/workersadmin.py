"""The admin plane of several workers: what it is asked, all do, or none."""

from __future__ import annotations

from typing import Any

from trivet.serving.config import AdminSettings, ServerConfig
from trivet.serving.errors import BadInput
from trivet.serving.http.admin import Admin, AdminPlane
from trivet.serving.http.reply import Reply, json_reply
from trivet.serving.http.together import Together
from trivet.serving.http.worker import Refused
from trivet.serving.log import Log


class WorkersAdmin(Admin):
    """Answers as the admin plane of a single process does."""

    def __init__(self, config: ServerConfig, settings: AdminSettings, together: Together, log: Log) -> None:
        super().__init__(config, settings, together, log)  # type: ignore[arg-type]  which it asks for the index only
        self._together = together

    async def _load(self, name: str, parameters: dict[str, Any]) -> Reply:
        if "stage" in parameters:
            raise BadInput("Stages are for a single process; here all workers load it, or none.")
        try:
            return json_reply(await self._together.load(name, parameters.get("version"), self._repository))
        except Refused as refused:
            return Reply(refused.status, refused.body, failure="Refused")

    async def _unload(self, name: str) -> Reply:
        await self._together.unload(name)
        return json_reply({"name": name})


async def open_admin(config: ServerConfig, settings: AdminSettings, together: Together, log: Log) -> AdminPlane:
    """Begin to listen.

    :raises ConfigError: when the token cannot be read.
    :raises PlatformError: when nothing can listen there.
    """
    return await AdminPlane.open(WorkersAdmin(config, settings, together, log), config, settings)
