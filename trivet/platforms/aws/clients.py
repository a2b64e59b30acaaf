"""Clients of boto3: one session, the right account and region, each client made when it is first needed."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config

from trivet.core.errors import ConfigError
from trivet.platforms.aws.errors import told

# The SDK's own retries, bounded: eight tries of a throttled call take at most about a minute.
CONFIG = Config(
    retries={"mode": "standard", "max_attempts": 8}, connect_timeout=10, read_timeout=70, user_agent_appid="trivet"
)


class Clients:
    """Clients by service. The first one asks who the caller is, so that nothing is done in another account."""

    def __init__(
        self,
        account: str,
        region: str,
        stack: str,
        *,
        session: boto3.Session | None = None,
        endpoint: str | None = None,
    ) -> None:
        """
        :param session: credentials; else what the environment, a profile or an instance gives.
        :param endpoint: URL that every service answers at; else each service's own, or what the environment says.
        """
        self.endpoint = endpoint
        self._given = session
        self._account = account
        self._region = region
        self._stack = stack
        self._made: dict[str, Any] = {}
        self._lock = threading.RLock()  # making clients from one session is not safe for threads

    @cached_property
    def session(self) -> boto3.Session:
        """Whose credentials are used."""
        return self._given or boto3.Session(region_name=self._region)

    @cached_property
    def caller(self) -> str:
        """ARN of who calls.

        :raises ConfigError: when that is in another account than the stack.
        """
        with told("Asking AWS who you are"):
            found = self._make("sts").get_caller_identity()
        if found["Account"] != self._account:
            raise ConfigError(
                f"Your credentials are of account {found['Account']}, and stack {self._stack} is in {self._account}.",
                "Choose the right profile, such as by AWS_PROFILE.",
            )
        return str(found["Arn"])

    def __call__(self, service: str) -> Any:
        """The client of a service; boto3 makes its methods at run time, so its type says nothing."""
        with self._lock:
            if service not in self._made:
                _ = self.caller
                self._made[service] = self._make(service)
            return self._made[service]

    def address(self, service: str) -> str:
        """Where a service is asked; nothing is asked for that."""
        with self._lock:
            return str(self._make(service).meta.endpoint_url)

    def _make(self, service: str) -> Any:
        return self.session.client(service, region_name=self._region, endpoint_url=self.endpoint, config=CONFIG)

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            for client in self._made.values():
                client.close()
            self._made.clear()
