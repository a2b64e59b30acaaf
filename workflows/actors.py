"""Who acts, and how that was established."""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Actor:
    """A person or a service, and how sure we are."""

    name: str
    identity: str


def current_actor() -> Actor:
    """The operating system's account, or what ``TRIVET_ACTOR`` declares and nobody verified."""
    account = getpass.getuser()
    if declared := os.environ.get("TRIVET_ACTOR"):
        return Actor(declared, f"declared in TRIVET_ACTOR by operating-system account {account}, not verified")
    return Actor(account, f"operating-system account {account} (uid {os.getuid()})")
