"""Passwords that RDS keeps in Secrets Manager: one per database. moto makes another whenever a change asks for one.

ModifyDBInstance of RDS's API, ManageMasterUserPassword: it turns that on, and changes nothing where it is on.
"""

from __future__ import annotations

from typing import Any

from moto.rds.models import DBInstance

_of_moto = DBInstance.update


def mend() -> None:
    """Have a database keep its secret."""
    DBInstance.update = _update  # type: ignore[method-assign]


def _update(self: Any, manage_master_user_password: bool | None = None, **changed: Any) -> None:
    wanted = None if manage_master_user_password and self.manage_master_user_password else manage_master_user_password
    _of_moto(self, manage_master_user_password=wanted, **changed)
