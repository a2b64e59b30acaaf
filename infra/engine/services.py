"""What Pulumi's services have in common: how they are served, that the first error of a method ends the operation, and
that a method which is not implemented is refused by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS

from trivet.core.errors import Unsupported
from trivet.infra.engine.gate import Gate


class Service:
    """Base of a service whose methods go through a gate."""

    gate: Gate

    @contextmanager
    def serving(self, context: grpc.ServicerContext) -> Iterator[None]:
        """Close the gate on the first error; the SDK takes the status for the end of the engine."""
        try:
            with self.gate:
                yield
        except BaseException as error:  # noqa: BLE001 kept, and raised by the thread that runs the operation
            self.gate.close(error)
            context.abort(grpc.StatusCode.UNAVAILABLE, "the operation is ending")


@contextmanager
def served(add: Callable[[grpc.Server], None], threads: int) -> Iterator[str]:
    """The address at which a service is served until the block ends.

    :param add: adds the service to a server.
    :param threads: how many calls may be at work at once.
    """
    with ThreadPoolExecutor(threads) as pool:
        server = grpc.server(pool, options=_GRPC_CHANNEL_OPTIONS)
        add(server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()


def refuse_the_rest(servicer: type[Service], service: ServiceDescriptor) -> None:
    """Give a servicer every method of the protocol that it does not implement: the operation fails, naming it."""
    for name in service.methods_by_name.keys() - vars(servicer).keys():
        setattr(servicer, name, _refusing(name))


def _refusing(method: str) -> Callable[..., Any]:
    def refuse(self: Service, request: Any, context: grpc.ServicerContext) -> None:
        with self.serving(context):
            subject = next(
                (str(getattr(request, name)) for name in ("tok", "name", "id") if hasattr(request, name)), ""
            )
            raise Unsupported(
                f"The embedded engine does not implement {method}{f' ({subject})' if subject else ''}.",
                "Leave it out or use the pulumi CLI.",
            )

    refuse.__name__ = method
    return refuse
