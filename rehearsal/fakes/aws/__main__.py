"""``python -m trivet.rehearsal.fakes.aws --folder DIR --images IMAGES.json``: the fake, until it is told to leave.

Says its port on standard output once it answers, or on the descriptor that ``--ready-fd`` names.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path

from trivet.core.errors import ExitCode, TrivetError
from trivet.rehearsal.fakes.aws.images import Images
from trivet.rehearsal.fakes.aws.settings import Settings


def main(arguments: list[str]) -> int:
    """Serve; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m trivet.rehearsal.fakes.aws", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where containers keep their files")
    parser.add_argument("--images", type=Path, required=True, help="JSON: image URI patterns to entry points")
    parser.add_argument("--port", type=int, default=0, help="of 127.0.0.1; 0 is a free one")
    parser.add_argument("--settings", type=json.loads, default={}, help="JSON: speed, grace, startup, …")
    parser.add_argument("--mode", default="", choices=("", "namespaces", "variables"), help="how containers are kept")
    parser.add_argument("--ready-fd", type=int, default=1, help="where the port is said")
    given = parser.parse_args(arguments)
    try:
        return _serve(given)
    except TrivetError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


def _serve(given: argparse.Namespace) -> int:
    from trivet.rehearsal.fakes.aws import passwords, signing, transport, versions
    from trivet.rehearsal.fakes.aws.service import listen
    from trivet.rehearsal.fakes.aws.world import World

    for gap in (passwords, signing, transport, versions):
        gap.mend()
    settings = Settings()
    settings.change(given.settings)
    world = World(given.folder, Images.read(given.images), settings, given.mode)
    server = listen(world, given.port)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    with os.fdopen(given.ready_fd, "w", closefd=given.ready_fd != 1) as ready:
        ready.write(f"{server.server_port}\n")
        ready.flush()
    try:
        server.serve_forever()
    finally:
        world.forget()
    return ExitCode.OK


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)  # threads of requests and deployments may still wait; their containers are gone
