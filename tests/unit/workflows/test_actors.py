"""Who acts, and how that was established."""

from __future__ import annotations

import os
import pwd

import pytest

from trivet.workflows.actors import current_actor

ACCOUNT = pwd.getpwuid(os.getuid()).pw_name


def test_an_account_is_what_the_system_says_not_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRIVET_ACTOR", raising=False)
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "grace")
    actor = current_actor()
    assert actor.name == ACCOUNT
    assert actor.identity == f"operating-system account {ACCOUNT} (uid {os.getuid()})"


def test_a_declared_name_is_recorded_as_not_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIVET_ACTOR", "grace")
    actor = current_actor()
    assert actor.name == "grace"
    assert actor.identity == f"declared in TRIVET_ACTOR by operating-system account {ACCOUNT}, not verified"
