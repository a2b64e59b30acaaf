"""What an environment asks of every cloud: how much is kept, how long, and what cannot be destroyed by a slip."""

from __future__ import annotations

from typing import Literal, NamedTuple

from trivet.core.outputs import EnvironmentName


class Profile(NamedTuple):
    """One environment's answers.

    :param protects: whether what holds data or keys is protected from ``destroy``.
    :param log_days: how long logs are kept; Security Hub and Checkov ask for a year.
    :param backup_days: how long backups of the database are kept.
    :param noncurrent_days: how long a version of an object is kept that a newer one has replaced.
    :param key_window_days: how long a key that is to be deleted can still be saved.
    :param hardware_keys: whether keys lie in hardware where a cloud has keys of both kinds.
    :param replicas: how many instances or zones what answers requests has at least.
    :param last_backup: whether a snapshot of the database is left when it is destroyed, released or not.
    :param database_metrics: whether the database's machine itself is watched, beside what the database says.
    :param private_zones: in how many zones a network of the stack's own has private endpoints of services.
    :param lean: whether it has only those that jobs and servers cannot do without.
    :param database: what becomes of the database where config says nothing.
    :param idle_usd: what the stack may cost in a month in which nothing is trained, served or asked, with one endpoint
        and no model on it, at list prices; none where nothing is promised.
    """

    protects: bool
    log_days: int
    backup_days: int
    noncurrent_days: int
    key_window_days: int
    hardware_keys: bool
    replicas: int
    last_backup: bool
    database_metrics: bool
    private_zones: int
    lean: bool
    database: Literal["create", "off"]
    idle_usd: int | None


PROFILES: dict[EnvironmentName, Profile] = {
    "dev": Profile(
        protects=False, log_days=365, backup_days=1, noncurrent_days=7, key_window_days=7, hardware_keys=False,
        replicas=1, last_backup=False, database_metrics=False, private_zones=1, lean=True, database="off", idle_usd=35,
    ),
    "staging": Profile(
        protects=True, log_days=365, backup_days=7, noncurrent_days=30, key_window_days=30, hardware_keys=False,
        replicas=2, last_backup=True, database_metrics=True, private_zones=2, lean=False, database="create",
        idle_usd=None,
    ),
    "prod": Profile(
        protects=True, log_days=365, backup_days=35, noncurrent_days=365, key_window_days=30, hardware_keys=True,
        replicas=2, last_backup=True, database_metrics=True, private_zones=2, lean=False, database="create",
        idle_usd=None,
    ),
}  # fmt: skip
_REGULATED_DAYS = 3653  # ten years


def profile(environment: EnvironmentName, *, regulated: bool, protects: bool | None = None) -> Profile:
    """The environment's profile; a regulated stack keeps what has to be shown later, ten years, and protects it.

    :param protects: what config says instead of the environment.
    """
    found = PROFILES[environment]
    if regulated:
        found = found._replace(
            protects=True,
            log_days=_REGULATED_DAYS,
            noncurrent_days=_REGULATED_DAYS,
            hardware_keys=True,
            last_backup=True,
            database_metrics=True,
            database="create",
            idle_usd=None,
        )
    return found if protects is None else found._replace(protects=protects)
