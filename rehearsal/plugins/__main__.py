"""``python -m trivet.rehearsal.plugins PACKAGE [ENGINE]`` serves one stand-in; ``--list`` prints what is served.

A plugin prints its port on 127.0.0.1 and ends with the process that started it.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import provider_pb2_grpc

from trivet.core.errors import ExitCode, TrivetError, UsageError
from trivet.rehearsal.plugins import guards
from trivet.rehearsal.plugins.listing import listing
from trivet.rehearsal.plugins.packages import MODULES, package
from trivet.rehearsal.plugins.servicer import Provider
from trivet.rehearsal.plugins.store import Store

_THREADS = 32
_WATCH_S = 1.0


def main(arguments: list[str]) -> int:
    """Serve or list; an error of ours is one sentence on standard error and its exit code."""
    try:
        if arguments == ["--list"]:
            sys.stdout.write(listing())
            return ExitCode.OK
        if not arguments or arguments[0] not in MODULES:
            raise UsageError("Name a package to serve.", f"It is one of {', '.join(MODULES)}, or --list.")
        serve(*arguments[:2])
    except TrivetError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return ExitCode.OK


def serve(name: str, engine: str = "") -> None:
    """Serve a package's stand-in until it is told to end or its parent ends.

    :raises TrivetError: where no rehearsal was asked for, or the store is missing.
    """
    gc.disable()  # the SDKs' types are most of what is made, and they stay
    parent = os.getppid()
    guards.require_rehearsal()
    guards.require_loopback({})
    store = Store(guards.store_folder())
    end_with(parent)
    server = grpc.server(ThreadPoolExecutor(_THREADS), options=_GRPC_CHANNEL_OPTIONS)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Provider(package(name), store, engine), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    server.wait_for_termination()


def end_with(parent: int) -> None:
    """Die with the parent, which may be killed.

    The parent is watched, since the kernel's own signal for that comes as soon as the *thread* ends that started this
    process, which an engine's may do early.
    """

    def watch() -> None:
        while os.getppid() == parent:
            threading.Event().wait(_WATCH_S)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
