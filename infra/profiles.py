"""What an environment asks of every cloud: how much is kept, how long, and what cannot be destroyed by a slip."""

from __future__ import annotations

from typing import NamedTuple

from trivet.core.outputs import EnvironmentName


class Profile(NamedTuple):
    """One environment's answers.

    :param protects: whether what holds data or keys is protected from ``destroy``.
    :param log_days: how long logs are kept; Security Hub and Checkov ask for a year.
    :param backup_days: how long backups of the database are kept.
    :param noncurrent_days: how long a version of an object is kept that a newer one has replaced.
    :param key_window_days: how long a key that is to be deleted can still be saved.
    :param replicas: how many instances or zones what answers requests has at least.
    """

    protects: bool
    log_days: int
    backup_days: int
    noncurrent_days: int
    key_window_days: int
    replicas: int


PROFILES: dict[EnvironmentName, Profile] = {
    "dev": Profile(False, 365, 1, 7, 7, 1),
    "staging": Profile(True, 365, 7, 30, 30, 2),
    "prod": Profile(True, 365, 35, 365, 30, 2),
}


def profile(environment: EnvironmentName, *, regulated: bool) -> Profile:
    """The environment's profile; a regulated stack keeps what has to be shown later, ten years, and protects it."""
    found = PROFILES[environment]
    return found._replace(protects=True, log_days=3653, noncurrent_days=3653) if regulated else found
