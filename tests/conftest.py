"""What holds for every test."""

from __future__ import annotations

import gc
import signal

import pytest


def pytest_configure() -> None:
    """Tests that were started in the background ignore Ctrl-C, and so would the commands that they start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Workers begin with the files that have slow tests, lest one ends with such a file while the others are idle."""
    if hasattr(config, "workerinput"):
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: the garbage collector need not walk it again and again."""
    gc.collect()
    gc.freeze()
