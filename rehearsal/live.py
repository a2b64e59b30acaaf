"""Tests on a real account: ``TRIVET_LIVE`` names the cloud. The cost is shown first, and all of it is destroyed.

The way is a user's own: a project, its stack by Pulumi with the user's backend and credentials, the outputs, the
verbs. Everything bears a tag with the time after which nobody needs it any more, should this machine be lost meanwhile.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from trivet.core.errors import ConfigError, Locked, NotReady, PlatformError, TrivetError
from trivet.core.waiting import wait_for
from trivet.infra.costs import Estimate
from trivet.workflows import stack as stacks
from trivet.workflows.init import scaffold

LIVE, CONFIG, YES = "TRIVET_LIVE", "TRIVET_LIVE_CONFIG", "TRIVET_LIVE_YES"
EXPIRES = "trivet:expires"  # the tag
WORD = "spend"
RELEASED_S = 600.0  # until an update that was interrupted has let go of the stack
ATTEMPTS = 3  # to destroy it: some things AWS lets go of only later
GONE_S = 900.0  # a cloud's list of what is there may be some minutes old
_HOURS_A_MONTH = 730
_PAUSE_S = 15.0


class Work(NamedTuple):
    """What the tests have the cloud do, beside the stack itself.

    :param machine_usd: of one machine for an hour; none where the price is unknown.
    """

    hours: float
    machine_hours: float
    machine_usd: Decimal | None


class Live(NamedTuple):
    """A stack that is up, and where its project lies."""

    root: Path
    stack: str


def named() -> str | None:
    """The cloud on which tests are to be run for real, where there is one."""
    return os.environ.get(LIVE) or None


def given(*required: str, fixed: Mapping[str, str]) -> dict[str, str]:
    """The stack's config as the user gives it in ``TRIVET_LIVE_CONFIG``, with what the tests set themselves.

    :raises ConfigError: where it is none, lacks what only the user knows, or says what is not the user's to say.
    """
    how = f"""Set {CONFIG} to a JSON object of the stack's config with {", ".join(required)}."""
    try:
        config = json.loads(os.environ.get(CONFIG, "{}"))
    except ValueError as error:
        raise ConfigError(f"{CONFIG} is no JSON: {error}.", how) from error
    if not isinstance(config, dict):
        raise ConfigError(f"{CONFIG} is no JSON object.", how)
    if missing := [name for name in required if name not in config]:
        raise ConfigError(f"The live stack's config lacks {', '.join(missing)}.", how)
    if refused := [name for name in fixed if name in config]:
        why = (
            f"{CONFIG} may not set {', '.join(refused)}: the live stack is the tests' own, and is destroyed at the end."
        )
        raise ConfigError(why, "Leave that out.")
    return {**{key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}, **fixed}


@contextmanager
def provisioned(config: Mapping[str, str], folder: Path, work: Work, *, ending: str = "") -> Iterator[Live]:
    """A stack for the block and no longer: whatever ends it, Ctrl-C and a half-made stack too, it is destroyed.

    :param folder: for the project, which is needed to destroy the stack should that fail.
    :param ending: of the stack's name.
    :raises Unsupported: where Pulumi's own CLI is needed and absent; nothing is made then.
    :raises ConfigError: where nobody agrees to the cost; nothing is made then either.
    """
    now = datetime.now(UTC)
    stack, expires = f"live-{now:%m%d%H%M%S}{ending}", now + timedelta(hours=2 * work.hours)
    tags = {**json.loads(config.get("tags", "{}")), EXPIRES: f"{expires:%Y-%m-%dT%H:%MZ}"}
    root = folder / "project"
    root.mkdir()
    scaffold(root)
    with _handling(signal.default_int_handler, signal.SIGTERM):  # by which CI ends what takes too long
        stacks.configure(root, stack, config={**config, "tags": json.dumps(tags)})
        _ask(stack, config, stacks.preview(root, stack, cost=True), work, expires)
        try:
            _say(f"Making stack {stack}.")
            stacks.up(root, stack)
            yield Live(root, stack)
        except BaseException as error:
            try:
                _destroy(root, stack)
            except PlatformError as left:  # what went wrong first is what is told
                error.add_note(f"Taking it down failed, too: {left}")
            raise
        _destroy(root, stack)


def _ask(stack: str, config: Mapping[str, str], foreseen: stacks.StackChange, work: Work, expires: datetime) -> None:
    made = foreseen.changes.get("create", 0)
    place = f"{config['cloud']}, {config.get('account', 'no account named')}, {config['region']}"
    _say(
        f"LIVE on {place}: stack {stack} with {made} resources, tagged {EXPIRES}={expires:%Y-%m-%dT%H:%MZ}.\n"
        f"It takes about {work.hours:.0f} hours and costs {_cost(foreseen.estimate, work)}. "
        "It is destroyed at the end, whatever happens."
    )
    if os.environ.get(YES):
        return
    sys.stderr.write(f"Type '{WORD}' to go on: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip() != WORD:
        how = f"Type '{WORD}' when asked, or set {YES}."
        raise ConfigError("Nobody agreed to the cost, and nothing was made.", how)


def _cost(estimate: Estimate | None, work: Work) -> str:
    """List prices of the stack and of the machines, by the hour; ``at least`` where one is unknown."""
    hours = Decimal(str(work.hours))
    usd = (estimate.known if estimate else Decimal()) * hours / _HOURS_A_MONTH
    usd += (work.machine_usd or Decimal()) * Decimal(str(work.machine_hours))
    whole = estimate is not None and estimate.complete and work.machine_usd is not None
    machines = f"{work.machine_hours:.0f} hours of machines{'' if work.machine_usd else ' at an unknown price'}"
    return f"{'' if whole else 'at least '}USD {usd:.2f} at list prices, {machines} included"


def _destroy(root: Path, stack: str) -> None:
    """Destroy the stack and look whether anything is left; nothing but SIGKILL interrupts that.

    :raises PlatformError: saying how to do it by hand.
    """
    _say(f"Destroying stack {stack}; Ctrl-C does not stop that.")
    failed: list[TrivetError] = []
    with _handling(signal.SIG_IGN, signal.SIGINT, signal.SIGTERM):
        try:
            attempt = partial(_destroyed, root, stack, failed)
            wait_for(attempt, f"The end of {stack}", seconds=RELEASED_S, longest=_PAUSE_S)
            with suppress(NotReady):
                wait_for(lambda: not _left(root, stack) or None, "Nothing", seconds=GONE_S, longest=_PAUSE_S)
            if left := _left(root, stack):
                raise PlatformError(f"This is left: {', '.join(left)}.")
        except TrivetError as error:
            told = PlatformError(
                f"Stack {stack} is not destroyed to its end: {error.message}",
                f"Call `trivet destroy --stack {stack}` in {root}, and again with --audit.",
            )
            _say(str(told))  # also where all that a report has is a KeyboardInterrupt
            raise told from error
    _say(f"Nothing is left of stack {stack}.")


def _destroyed(root: Path, stack: str, failed: list[TrivetError]) -> bool | None:
    """Whether it is. Ctrl-C reaches Pulumi's own process too, which then holds the stack for a while, or gives up."""
    try:
        stacks.destroy(root, stack)
    except Locked:
        return None
    except TrivetError as error:
        failed.append(error)
        if len(failed) == ATTEMPTS:
            raise
        return None
    return True


def _left(root: Path, stack: str) -> list[str]:
    """What is still there, but what the cloud itself deletes in time."""
    return [f"{one.kind} {one.id}" for one in stacks.audit(root, stack) if one.state != "pending deletion"]


@contextmanager
def _handling(handler: Any, *numbers: signal.Signals) -> Iterator[None]:
    """These signals are handled like this in the block."""
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
