"""Who acts, and how that was established."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass


@dataclass(frozen=True)
class Actor:
    """A person or a service, and how sure we are."""

    name: str
    identity: str


def current_actor() -> Actor:
    """The operating system's account, or what ``TRIVET_ACTOR`` declares and nobody verified."""
    account = _account()
    if declared := os.environ.get("TRIVET_ACTOR"):
        return Actor(declared, f"declared in TRIVET_ACTOR by operating-system account {account}, not verified")
    return Actor(account, f"operating-system account {account} (uid {os.getuid()})")


def _account() -> str:
    """As the system knows it: ``getpass.getuser`` would believe LOGNAME and USER, which anybody may set."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run as a number without a name
        return f"uid-{os.getuid()}"
