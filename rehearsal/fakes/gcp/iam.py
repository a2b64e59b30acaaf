"""IAM's service accounts: that they are there. Roles are not looked at: everything is allowed."""

from __future__ import annotations

import re
import secrets
import threading
from typing import Any

from trivet.rehearsal.fakes.gcp.constraints import Constraints
from trivet.rehearsal.fakes.gcp.names import PROJECT
from trivet.rehearsal.fakes.gcp.refusals import invalid, missing, refused
from trivet.rehearsal.fakes.gcp.rest import Api, Asked, Method, known, paged
from trivet.rehearsal.fakes.gcp.rights import Rights

_ACCOUNTS = "/v1/projects/{project}/serviceAccounts"
_ACCOUNT = f"{_ACCOUNTS}/{{email}}"
_ID = re.compile(r"[a-z](?:[a-z0-9-]{4,28}[a-z0-9])")  # ref IAM, projects.serviceAccounts.create, accountId


class Iam:
    """The service accounts of one fake."""

    def __init__(self, constraints: Constraints, rights: Rights) -> None:
        self._constraints = constraints
        self._rights = rights
        self._lock = threading.RLock()
        self._accounts: dict[str, dict[str, Any]] = {}

    def api(self) -> Api:
        """Its door."""
        methods = (
            Method("CreateServiceAccount", "POST", _ACCOUNTS, self._create, ("accountId", "serviceAccount")),
            Method("ListServiceAccounts", "GET", _ACCOUNTS, self._list, (), ("pageSize", "pageToken")),
            Method("GetServiceAccount", "GET", _ACCOUNT, self._get),
            Method("DeleteServiceAccount", "DELETE", _ACCOUNT, self._delete),
            Method("TestIamPermissions", "POST", f"{_ACCOUNT}:testIamPermissions", self._tested, ("permissions",)),
        )
        return Api(self._constraints, "iam", "IAM", r"/v1/projects/[^/]+/serviceAccounts", methods)

    def forget(self) -> None:
        """Hold nothing."""
        with self._lock:
            self._accounts.clear()

    def _create(self, asked: Asked) -> dict[str, Any]:
        id_, given = asked.body.get("accountId", ""), asked.body.get("serviceAccount", {})
        known(given, ("displayName", "description"), "service_account")
        if not _ID.fullmatch(id_):
            raise invalid(f"Invalid account_id '{id_}': 6 to 30 small letters, digits and dashes, a letter first.")
        email = f"{id_}@{PROJECT}.iam.gserviceaccount.com"
        with self._lock:
            if email in self._accounts:
                raise refused("ALREADY_EXISTS", f"Service account {id_} already exists within project {PROJECT}.")
            self._accounts[email] = {
                **given,
                "name": f"projects/{PROJECT}/serviceAccounts/{email}",
                "projectId": PROJECT,
                "uniqueId": str(10**20 + secrets.randbelow(10**20)),
                "email": email,
            }
            return self._accounts[email]

    def exists(self, email: str) -> bool:
        """Whether there is such an account."""
        with self._lock:
            return email in self._accounts

    def _tested(self, asked: Asked) -> dict[str, Any]:
        self._get(asked)
        return self._rights.tested(asked)

    def _get(self, asked: Asked) -> dict[str, Any]:
        email = asked.names["email"]
        with self._lock:
            if email not in self._accounts:
                raise missing(f"Service account {email} does not exist.")
            return self._accounts[email]

    def _list(self, asked: Asked) -> dict[str, Any]:
        with self._lock:
            return paged(list(self._accounts.values()), asked, "accounts")

    def _delete(self, asked: Asked) -> None:
        email = self._get(asked)["email"]
        with self._lock:
            self._accounts.pop(email, None)
