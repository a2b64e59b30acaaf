"""Logging in to the stack's PostgreSQL with an identity of AWS instead of a password."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from trivet.core.platform import Login
from trivet.platforms.aws.clients import Clients
from trivet.platforms.aws.errors import told

RDS = (".rds.amazonaws.com", ".rds.amazonaws.com.cn")
USER, PORT = "trivet", 5432


def login(clients: Clients, url: str, region: str) -> Login | None:
    """The login to a database of RDS: a token that lives for a quarter of an hour, asked for with each connection.

    None for any other: its URL, or libpq's own settings, say as whom.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not host.endswith(RDS):
        return None
    user, port = parts.username or USER, parts.port or PORT

    def token() -> str:
        with told("The login to the stack's database"):
            rds: Any = clients("rds")
            return rds.generate_db_auth_token(DBHostname=host, Port=port, DBUsername=user, Region=region)

    return Login(user, token)
