"""Failures that an operation goes on after: ``--continue-on-error``."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from trivet.core.errors import PlatformError, TrivetError
from trivet.infra.engine.events import Report
from trivet.infra.engine.state import Resource


class Setbacks:
    """What could not be done so far. Its methods may be called from any thread.

    :param go_on: whether to; else the first failure is raised where it happens.
    """

    def __init__(self, report: Report, *, go_on: bool) -> None:
        self._report = report
        self._go_on = go_on
        self._errors: dict[str, TrivetError] = {}
        self._aside: list[TrivetError] = []
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._errors)

    def __contains__(self, urn: object) -> bool:
        """Whether this resource could not be made what it should be, or deleted."""
        return urn in self._errors

    @contextmanager
    def of(self, resource: Resource) -> Iterator[None]:
        """Around what is done about one resource."""
        try:
            yield
        except TrivetError as error:
            if not self._go_on:
                raise
            with self._lock:
                self._errors[resource.urn] = error
            self._report.diagnostic("error", str(error), resource.urn)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Around what is done besides, once a resource is what it should be: its failure is no setback of any."""
        try:
            yield
        except TrivetError as error:
            if not self._go_on:
                raise
            with self._lock:
                self._aside.append(error)
            self._report.diagnostic("error", str(error))

    def stop(self, resource: Resource) -> bool:
        """Whether it cannot be done since something that it needs could not be; that counts as one more."""
        with self._lock:
            missing = self._errors.keys() & set(resource.needs)
            if missing:
                self._errors[resource.urn] = self._errors[min(missing)]
        if missing:
            self._report.line(f"   {resource.type} {resource.name} skipped: {_names(missing)} failed")
        return bool(missing)

    def raise_first(self) -> None:
        """:raises TrivetError: the first failure, and how many there are."""
        told = list(dict.fromkeys([*self._errors.values(), *self._aside]))
        if len(told) == 1:
            raise told[0]
        if told:
            raise PlatformError(
                f"{len(told)} operations failed, the first: {told[0]}", "See the lines above."
            ) from told[0]


def _names(urns: set[str]) -> str:
    return ", ".join(sorted(urn.rsplit("::", 1)[-1] for urn in urns))
