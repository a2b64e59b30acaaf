"""What every part of a cloud's platform works with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from trivet.core.outputs import Outputs
from trivet.core.platform import Store

ClientsT = TypeVar("ClientsT")
NativeT = TypeVar("NativeT")


class Part(Generic[ClientsT, NativeT]):
    """One part of the platform of one stack, over a cloud's clients and its section of the outputs.

    :param check: refuses a spec that the cloud does not claim.
    """

    def __init__(
        self, clients: ClientsT, outputs: Outputs, native: NativeT, store: Store, check: Callable[[Any], None]
    ) -> None:
        self._clients = clients
        self._outputs = outputs
        self._native = native
        self._store = store
        self._check = check
