"""The language host: runs one Pulumi program, in a process of its own, as the pulumi CLI's Python host does.

Started by path, not as a module, with the program's folder or file as its argument: nothing of Trivet is imported
before the program, which sees its own folder first on ``sys.path`` and as the working directory. Prints the port on
which the engine reaches it; whatever comes after is the program's own output.
"""

from __future__ import annotations

import gc
import os
import runpy
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pulumi.log
from pulumi.automation._server import LanguageServer
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import language_pb2_grpc

_SWITCH_S = 0.0005


def main() -> None:
    """Serve until the engine ends this process."""
    program = Path(sys.argv[1])
    file = program / "__main__.py" if program.is_dir() else program
    sys.path.insert(0, str(file.parent))
    os.chdir(file.parent)

    # The SDK looks through all that it still waits for whenever something arrives. Threads that bring answers get their
    # turn sooner so, and it looks once for many of them: with a thousand resources, a third of the time.
    sys.setswitchinterval(_SWITCH_S)

    # The types of Pulumi's SDKs are most of what a program makes, and they stay: to look through them for garbage takes
    # a third of the time.
    gc.disable()

    # Of each resource the SDK tells some, in calls that it waits for, and the engine shows none of them.
    pulumi.log.debug = lambda *_, **__: None

    def run() -> None:
        runpy.run_path(str(file), run_name="__main__")

    server = grpc.server(ThreadPoolExecutor(max_workers=4), options=_GRPC_CHANNEL_OPTIONS)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageServer(run), server)
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)  # noqa: T201 the engine reads it
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
