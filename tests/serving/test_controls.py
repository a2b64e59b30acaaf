"""Others' clients against others' servers: that a client or its script is not what makes everything pass, or fail."""

from __future__ import annotations

import sys

import pytest

from .clients.controls import CONTROLS, lines, measure
from .clients.matrix import CLIENTS, OF_THE_OPEN_PROTOCOL
from .clients.operations import OK

HEALTH = [("triton", "server live"), ("triton", "server ready"), ("kserve", "v2 model ready")]
HEALTH += [("openinference", "server live"), ("openinference", "server ready")]


@pytest.mark.slow
def test_the_controls_serve_what_they_serve_and_the_table_has_no_gap(tmp_path, capsys):
    table = measure(tmp_path)
    with capsys.disabled():
        print("", *lines(table), sep="\n")  # noqa: T201  for whoever reads the log
    there = [name for name, control in CONTROLS.items() if sys.version_info < control.below]
    assert there
    assert [name.split()[0] for name in table] == ["Trivet", *there]
    for server, clients in table.items():
        for client in OF_THE_OPEN_PROTOCOL:
            outcomes = clients[client]
            assert sorted(outcomes) == sorted(CLIENTS[client].operations)
            assert not [one for one in outcomes.values() if "no outcome" in one], (server, client, outcomes)
        assert [clients[client][operation] for client, operation in HEALTH] == [OK] * len(HEALTH), server
        assert any(
            clients[client][operation] == OK
            for client in OF_THE_OPEN_PROTOCOL
            for operation in CLIENTS[client].inferences
        ), server
