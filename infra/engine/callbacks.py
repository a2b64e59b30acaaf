"""Calls back into the program, which serves the functions that it has registered: transforms and hooks."""

from __future__ import annotations

import threading
from typing import Any

import grpc
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import callback_pb2, callback_pb2_grpc

from trivet.infra.engine.failures import failure


class Callbacks:
    """The connections to whoever serves functions of one run. Its methods may be called from any thread."""

    def __init__(self) -> None:
        self._channels: dict[str, grpc.Channel] = {}
        self._lock = threading.Lock()

    def call(self, callback: callback_pb2.Callback, asked: Any, what: str) -> bytes:
        """What the function answers.

        :param what: names the function where it fails.
        :raises TrivetError: when it does.
        """
        with self._lock:
            if callback.target not in self._channels:
                self._channels[callback.target] = grpc.insecure_channel(callback.target, options=_GRPC_CHANNEL_OPTIONS)
            channel = self._channels[callback.target]
        request = callback_pb2.CallbackInvokeRequest(token=callback.token, request=asked.SerializeToString())
        try:
            return callback_pb2_grpc.CallbacksStub(channel).Invoke(request).response
        except grpc.RpcError as error:
            told = error.details()  # pyright: ignore[reportAttributeAccessIssue] grpc raises calls
            raise failure(f"{what} failed", told or str(error)) from error

    def close(self) -> None:
        """Hang up."""
        for channel in self._channels.values():
            channel.close()
