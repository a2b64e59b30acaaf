"""What is made once and never changed, such as SageMaker's models: whatever lies under its name says the same."""

from __future__ import annotations

from collections.abc import Callable

from botocore.exceptions import ClientError

from trivet.core.waiting import wait_for
from trivet.platforms.aws.errors import PROPAGATION_SECONDS, is_missing, is_taken, once_the_role_is_known, told


def ensure(describe: Callable[[], object], create: Callable[[], object], what: str) -> None:
    """Make what is not there, and wait until it is seen."""
    with told(what):
        if _is_there(describe):
            return
        try:
            once_the_role_is_known(create, what)
        except ClientError as error:
            if not is_taken(error):
                raise
        wait_for(lambda: _is_there(describe) or None, what, seconds=PROPAGATION_SECONDS)


def _is_there(describe: Callable[[], object]) -> bool:
    try:
        describe()
    except ClientError as error:
        if is_missing(error):
            return False
        raise
    return True
