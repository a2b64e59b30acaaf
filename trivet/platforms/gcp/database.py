"""Logging in to the stack's PostgreSQL with an identity of Google Cloud instead of a password."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from google.auth.transport.requests import Request

from trivet.core.platform import Login
from trivet.platforms.gcp.clients import Clients
from trivet.platforms.gcp.errors import told

CLOUD_SQL = ("sql.goog",)  # "Configure DNS": names that Cloud SQL gives its instances
SCOPE = "https://www.googleapis.com/auth/sqlservice.login"  # a token that opens databases, and nothing else
INSTANCE = "cloudsql"  # a parameter of the URL that says so where an address is all there is


def login(clients: Clients, url: str) -> Login | None:
    """The login to a database of Cloud SQL: the access token of whoever calls, asked for with each connection.

    The user is the identity's e-mail address, of a service account without ``.gserviceaccount.com``; the URL says it.
    None for any other database: its URL, or libpq's own settings, say as whom.
    Source: Cloud SQL for PostgreSQL, "Log in using IAM database authentication".
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if not host.endswith(CLOUD_SQL) and INSTANCE not in parse_qs(parts.query):
        return None

    def token() -> str:
        with told("The login to the stack's database"):
            credentials: Any = clients.credentials
            if hasattr(credentials, "with_scopes"):  # those of a user have the scopes that the login asked for
                credentials = credentials.with_scopes([SCOPE])
            if not credentials.valid:
                credentials.refresh(Request())
        return str(credentials.token)

    return Login(unquote(parts.username or "trivet"), token)
