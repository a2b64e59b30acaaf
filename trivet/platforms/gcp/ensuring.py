"""What is made once under a name that says what it is: whatever lies under its name says the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from google.api_core.exceptions import GoogleAPICallError

from trivet.core.waiting import wait_for
from trivet.platforms.gcp.errors import UNREACHABLE, Unreadable, is_changing, is_missing, is_taken, told

T = TypeVar("T")

SEEN_SECONDS = 60.0  # until what was made is seen everywhere
TRIES = 4
SETTLE_SECONDS, LONGEST_PAUSE = 3600.0, 15.0


def ensure(find: Callable[[], T | None], make: Callable[[], object], what: str, seconds: float = SEEN_SECONDS) -> T:
    """What is there; made first where it is not.

    :param find: None, or what Google says that it does not exist, where it is not there.
    :param make: where its answer was lost, one looks whether it was done before it is done again.
    :param seconds: within which it is seen.
    """
    with told(what):
        for left in reversed(range(TRIES)):
            if (found := _found(find)) is not None:
                return found
            try:
                make()
                break
            except GoogleAPICallError as error:
                if not is_taken(error):
                    raise
                break
            except (*UNREACHABLE, Unreadable):
                if not left:
                    raise
        return wait_for(lambda: _found(find), what, seconds=seconds)


def _found(find: Callable[[], T | None]) -> T | None:
    try:
        return find()
    except GoogleAPICallError as error:
        if is_missing(error):
            return None
        raise


def insisted(call: Callable[[], T], what: str) -> T:
    """What a call gives, once nothing else happens to what it is about: until then Vertex AI may refuse it."""

    def attempt() -> tuple[T] | None:
        try:
            return (call(),)
        except GoogleAPICallError as error:
            if is_changing(error):
                return None
            raise

    return wait_for(attempt, what, seconds=SETTLE_SECONDS, longest=LONGEST_PAUSE)[0]


def unless_gone(call: Callable[[], object], *, or_used: bool = False) -> None:
    """Make a call about what somebody else may have deleted just now; or begun to use, with ``or_used``."""
    try:
        call()
    except GoogleAPICallError as error:
        if not (is_missing(error) or (or_used and "deployed" in str(error.message))):
            raise
