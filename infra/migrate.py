"""Hands a stack over from one engine to the other: ``trivet stack migrate``.

The old engine exports, the new one imports, and both must then say the same of every resource; if not, all is as it
was. What the old one exported stays in ``.archive`` beside the state, secrets sealed.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from trivet.core.errors import ConfigError, IntegrityError, UsageError
from trivet.core.files import write_atomic
from trivet.infra.driver import ENGINES, Driver

_COMPARED = ("id", "type", "inputs", "outputs", "parent", "provider", "protect", "dependencies", "delete")


def migrate(driver: Driver, engine: str) -> Path:
    """Make a stack belong to ``engine``; returns where its former state lies.

    :raises UsageError: when it does already.
    :raises ConfigError: when the new engine is not there, or something in it was cut off: finish that first.
    :raises Locked: when something is at work on it.
    :raises IntegrityError: when the new engine does not say the same of the stack; it is as it was then.
    """
    former = driver.name
    if engine not in ENGINES:
        raise UsageError(f"'{engine}' is no engine.", f"Choose {' or '.join(ENGINES)}.")
    if engine == former:
        raise UsageError(f"The stack '{driver.stack}' belongs to the engine '{engine}' already.")
    heir = driver.succeeded_by(engine)
    _ = heir.engine  # raises where it is not there, before anything is written
    with driver.quiet():  # from here on only the new engine may begin something
        exported = driver.export()
        _refuse_unsettled(driver, exported)
        archive = _archive(driver, former)
        heir.claim()
    try:
        heir.take(archive)
        _agree(exported, heir.export())
    except BaseException:
        driver.claim()
        driver.take(archive)
        raise
    return archive


def _refuse_unsettled(driver: Driver, exported: dict[str, Any]) -> None:
    if exported["deployment"].get("pending_operations"):
        raise ConfigError(
            f"Something in the stack '{driver.stack}' was cut off and is not settled.",
            "Call `trivet up`, then this again.",
        )


def _archive(driver: Driver, engine: str) -> Path:
    """The state in a file, secrets sealed."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    archive = driver.home.parent / ".archive" / f"{driver.stack}-{engine}-{moment}.json"
    write_atomic(archive, driver.sealed_export())
    return archive


def _agree(before: dict[str, Any], after: dict[str, Any]) -> None:
    told, found = _by_object(before), _by_object(after)
    wrong = sorted(name for name in told.keys() | found.keys() if told.get(name) != found.get(name))
    if wrong:
        raise IntegrityError(f"The engines do not say the same of {wrong[0][0]}.", "Nothing was changed.")


def _by_object(export: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    resources = export["deployment"].get("resources", [])
    return {
        (one["urn"], one.get("id", "")): {name: one[name] for name in _COMPARED if one.get(name)} for one in resources
    }
