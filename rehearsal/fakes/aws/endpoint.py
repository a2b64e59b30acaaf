"""One endpoint: what serves, and what is to follow it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from trivet.rehearsal.fakes.aws.refusals import invalid
from trivet.rehearsal.fakes.aws.serving import Fleet, Server
from trivet.rehearsal.fakes.aws.state import ACCOUNT, Record, Region
from trivet.rehearsal.fakes.served import GOLDEN

KIND = "endpoint"


@dataclass(kw_only=True)
class Endpoint(Record):
    """One endpoint: the fleet that serves, and the one that is to follow it."""

    region: Region
    config: str = ""
    fleet: Fleet | None = None
    candidate: Fleet | None = None
    share: float = 0.0
    deployment: dict[str, Any] | None = None
    asked: int = 0
    cancelled: threading.Event = field(default_factory=threading.Event)

    def uses_configs(self) -> set[str]:
        """The configurations that must not be deleted now."""
        return {self.config, *([self.candidate.config] if self.candidate else [])}

    def choose(self, variant: str = "") -> Server:
        """The server for the next request, counted in: whoever asks it calls its ``release`` afterwards.

        :raises Refused: where nothing serves, or there is no such variant.
        """
        with self.region.lock:
            if self.fleet is None or self.status in ("Creating", "Failed", "Deleting"):
                said = f"Endpoint {self.name} of account {ACCOUNT} is not in service: its status is {self.status}."
                raise invalid(said)
            self.asked += 1
            point = self.asked * GOLDEN % 1
            fleet = self.fleet
            if self.candidate and self.share > 0:
                taken = point < self.share
                fleet = self.candidate if taken else self.fleet
                point = point / self.share if taken else (point - self.share) / (1 - self.share)
            if variant and variant not in fleet.servers:
                raise invalid(f"Variant {variant} is not found for Endpoint {self.name}.")
            server = fleet.servers[variant] if variant else fleet.choose(point)
            server.take()
            return server
