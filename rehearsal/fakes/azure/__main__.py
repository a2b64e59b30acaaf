"""``python -m trivet.rehearsal.fakes.azure --folder DIR --images IMAGES.json``: the fake, until it is told to leave.

Says its port on standard output once it answers, or on the descriptor that ``--ready-fd`` names.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from trivet.rehearsal.fakes.azure.settings import Settings
from trivet.rehearsal.fakes.entry import Server, leave, run
from trivet.rehearsal.fakes.images import Images


def main(arguments: list[str]) -> int:
    """Serve; returns the exit code."""
    return run("trivet.rehearsal.fakes.azure", __doc__, arguments, _listen)


def _listen(given: argparse.Namespace) -> tuple[Server, Callable[[], None]]:
    from trivet.rehearsal.fakes.azure.service import listen
    from trivet.rehearsal.fakes.azure.world import World

    settings = Settings()
    settings.change(given.settings)
    world = World(given.folder, Images.read(given.images), settings, given.mode)
    return listen(world, given.port), world.forget


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
