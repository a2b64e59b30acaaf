"""What keeps a stand-in away from a real cloud: it serves rehearsals only, and speaks to this machine only."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from trivet.core.errors import ConfigError, UsageError

REHEARSAL = "TRIVET_REHEARSAL"
STORE = "TRIVET_REHEARSAL_STORE"

_URL = re.compile(r"\bhttps?://[^\s\"'\\,]+", re.IGNORECASE)
# Where the vendors' own clients look for another address than the cloud's.
_ENDPOINTS = re.compile(r"AWS_ENDPOINT_URL\w*|GOOGLE_\w*CUSTOM_ENDPOINT|ARM_\w*(ENDPOINT|HOSTNAME)|\w*_EMULATOR_HOST")


def require_rehearsal() -> None:
    """:raises UsageError: where no rehearsal was asked for, so that no stand-in ever poses as the real provider."""
    if not os.environ.get(REHEARSAL):
        raise UsageError(
            "This stand-in for a cloud's Pulumi provider runs in rehearsals only.",
            f"Set {REHEARSAL}=1 for a rehearsal, or take its folder off PATH.",
        )


def store_folder() -> Path:
    """The folder of the strict store.

    :raises UsageError: where none is named.
    """
    folder = os.environ.get(STORE)
    if not folder:
        raise UsageError("A rehearsal's stand-ins need a folder for what they make.", f"Name one in {STORE}.")
    return Path(folder)


def require_loopback(config: Mapping[str, Any]) -> None:
    """Refuse every endpoint that is not on this machine, be it named in a provider's config or in the environment.

    :raises ConfigError: naming the first.
    """
    named = ((name, _as_url(value)) for name, value in os.environ.items() if _ENDPOINTS.fullmatch(name))
    for name, value in (*named, *config.items()):
        for url in endpoints(value):
            if not is_loopback(url):
                raise ConfigError(
                    f"{name} names {url}, which is not on this machine.", "A rehearsal takes loopback endpoints only."
                )


def _as_url(host: str) -> str:
    return host if "://" in host or not host else f"http://{host}"


def endpoints(value: Any) -> Iterator[str]:
    """Every URL in a setting."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from endpoints(item)
    elif isinstance(value, str):
        yield from _URL.findall(value)


def is_loopback(url: str) -> bool:
    """Whether a URL's host is this machine: a loopback address, or ``localhost``; no other name is looked up."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
