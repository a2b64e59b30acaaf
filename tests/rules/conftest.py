"""Texts that are written anew with ``GOLDEN=write``, and what Checkov says of every graph."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .graphs import PROFILES, graph
from .mutations import MUTATIONS
from .scanning import Scan, scanned

GOLDEN = Path(__file__).with_name("golden")
Scans = dict[str, Scan]


def hold(name: str, text: str) -> None:
    """Compare a text with what is kept of it; with ``GOLDEN=write`` keep it, and fail where it is another."""
    path = GOLDEN / name
    kept = path.read_text() if path.exists() else ""
    if kept != text and os.environ.get("GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        pytest.fail(f"{name} is written anew: read what changed, and commit it")
    assert text == kept, f"{name} is another: after a change that is meant, run the tests with GOLDEN=write"


@pytest.fixture(scope="session")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Scans:
    """What Checkov says of each profile, and of ``prod`` with each fault, by number."""
    texts = {profile: graph(profile).terraform() for profile in PROFILES}
    for number, mutation in enumerate(MUTATIONS):
        texts[str(number)] = mutation.seeded().terraform()
    return scanned(texts, tmp_path_factory.mktemp("terraform"))
