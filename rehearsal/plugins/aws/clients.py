"""Real boto3 clients that can only reach this machine, with credentials that are nobody's."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Mapping
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, ParamValidationError

from trivet.core.errors import ConfigError, PlatformError
from trivet.infra.engine.values import Properties
from trivet.rehearsal.plugins import guards

_NOBODY = "rehearsal"
_GONE = re.compile(
    r"NotFound|NoSuch|NotExist|NonExistent|NotConfigured|\b404\b|No such|not find|not exist|not found|No [\w ]+ found"
    r"|pending deletion|marked deleted"
)
_TAKEN = re.compile(r"Exists|AlreadyOwned|Duplicate|already exist|Conflict")
# Neither a profile nor a file of the user's is read, so that nothing but the loopback endpoint is ever asked.
_SEALED: Mapping[str, tuple[Any, ...]] = {
    "profile": (None, [], None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


class Clients:
    """Makes clients, one per service and region, for the endpoints that the config or the environment names."""

    def __init__(self, endpoints: Mapping[str, str], region: str) -> None:
        self._endpoints = endpoints
        self._region = region
        self._session = botocore.session.Session(session_vars=_SEALED)
        self._made: dict[tuple[str, str], Any] = {}
        self._models: dict[str, Any] = {}
        self._lock = threading.Lock()

    def client(self, service: str, region: str = "") -> Any:
        """A client.

        :raises ConfigError: where no endpoint is named for the service.
        """
        key = service, region or self._region
        with self._lock:
            if key not in self._made:
                self._made[key] = self._session.create_client(
                    service,
                    region_name=key[1],
                    endpoint_url=self._endpoint(service),
                    config=Config(proxies={}, retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
                    aws_access_key_id=_NOBODY,
                    aws_secret_access_key=_NOBODY,
                )
            return self._made[key]

    def call(self, service: str, operation: str, parameters: Properties, region: str = "") -> Properties:
        """The answer of one operation, by the name that AWS gives it.

        :raises ClientError: when the service refuses it.
        """
        try:
            return self.client(service, region)._make_api_call(operation, parameters)
        except ParamValidationError as error:
            wrong = "; ".join(str(error.kwargs["report"]).splitlines())
            raise ConfigError(f"{operation} of AWS does not take this: {wrong}.", "Correct the program.") from error
        except EndpointConnectionError as error:
            raise PlatformError(f"Nothing answers at {self._endpoint(service)}.", "Start the fake of AWS.") from error
        except BotoCoreError as error:
            raise PlatformError(f"{operation}: the fake of AWS failed: {str(error).splitlines()[0]}") from error

    def shape(self, service: str, operation: str) -> Any:
        """What an operation takes, in botocore's service model; nothing is asked for that."""
        with self._lock:
            if service not in self._models:
                self._models[service] = self._session.get_service_model(service)
            return self._models[service].operation_model(operation).input_shape

    def _endpoint(self, service: str) -> str:
        own = f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}"
        found = self._endpoints.get(service) or os.environ.get(own) or os.environ.get("AWS_ENDPOINT_URL")
        if not found:
            raise ConfigError(
                f"A rehearsal names no endpoint for AWS's service '{service}'.",
                "Set AWS_ENDPOINT_URL, or the config aws:endpoints, to a fake of AWS on this machine.",
            )
        guards.require_loopback({"the endpoint": found})
        return found


def is_gone(error: ClientError) -> bool:
    """Whether a service says that something is not there."""
    return bool(_GONE.search(_said(error)))


def is_taken(error: ClientError) -> bool:
    """Whether a service says that something is there already."""
    return bool(_TAKEN.search(_said(error)))


def _said(error: ClientError) -> str:
    told = error.response.get("Error", {})
    return f"{told.get('Code')} {told.get('Message')}"
