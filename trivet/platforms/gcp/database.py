"""Logging in to the stack's PostgreSQL with an identity of Google Cloud instead of a password."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from google.auth.transport.requests import Request

from trivet.core.errors import ConfigError
from trivet.core.platform import Login
from trivet.platforms.gcp.clients import Clients
from trivet.platforms.gcp.errors import told

CLOUD_SQL = ("sql.goog",)  # "Configure DNS": names that Cloud SQL gives its instances
SCOPE = "https://www.googleapis.com/auth/sqlservice.login"  # a token that opens databases, and nothing else
INSTANCE = "cloudsql"  # a parameter of the URL that says so where an address is all there is
_ACCOUNTS = ".gserviceaccount.com"


def login(clients: Clients, url: str) -> Login | None:
    """The login to a database of Cloud SQL: the access token of whoever calls, asked for with each connection.

    The user is that identity's e-mail address, of a service account without ``.gserviceaccount.com``; where the URL
    names none and the credentials do not say whose they are, as gcloud's do not, ``PGUSER`` does.
    None for any other database: its URL, or libpq's own settings, say as whom.
    Source: Cloud SQL for PostgreSQL, "Log in using IAM database authentication".

    :raises ConfigError: when nothing says whose login it is.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if not host.endswith(CLOUD_SQL) and INSTANCE not in parse_qs(parts.query):
        return None
    user = unquote(parts.username or "") or os.environ.get("PGUSER") or _owner(clients)
    return Login(user, lambda: str(_opening(clients).token))


def _owner(clients: Clients) -> str:
    """Whose the credentials are, as Cloud SQL calls its users."""
    credentials = _valid(clients.credentials)  # a machine knows its service account from its first token on
    email = getattr(credentials, "service_account_email", None) or getattr(credentials, "account", None)
    if not email:
        raise ConfigError(
            "The credentials for Google Cloud do not say whose they are, so nobody can log in to the stack's database.",
            "Name the user in PGUSER: the e-mail address, of a service account without .gserviceaccount.com.",
        )
    return str(email).removesuffix(_ACCOUNTS)


def _opening(clients: Clients) -> Any:
    """The credentials for databases and nothing else; those of a user have the scopes that the login asked for."""
    credentials = clients.credentials
    return _valid(credentials.with_scopes([SCOPE]) if hasattr(credentials, "with_scopes") else credentials)


def _valid(credentials: Any) -> Any:
    """The credentials, with a token that has not ended."""
    with told("The login to the stack's database"):
        if not credentials.valid:
            credentials.refresh(Request())
    return credentials
