"""What every part of the platform works with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trivet.core.outputs import GcpNative, Outputs
from trivet.core.platform import Store
from trivet.platforms.gcp.clients import Clients


class Part:
    """One part of the platform of one stack.

    :param check: refuses a spec that the cloud does not claim.
    """

    def __init__(
        self, clients: Clients, outputs: Outputs, native: GcpNative, store: Store, check: Callable[[Any], None]
    ) -> None:
        self._clients = clients
        self._outputs = outputs
        self._native = native
        self._store = store
        self._check = check
