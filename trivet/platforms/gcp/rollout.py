"""How a release takes over: steps of traffic, each of which bakes while the stack's alarms are watched.

Vertex AI has no such thing of its own. An alarm is an alert policy about the endpoint that opens an alert after the
release has begun: one that was open already says nothing of it, and blocks no release that mends it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from trivet.core.errors import ConfigError
from trivet.core.specs import Rollout
from trivet.platforms.gcp.clients import Clients
from trivet.platforms.gcp.deployed import WHOLE, mixed
from trivet.platforms.gcp.errors import told

POLL_S = 10.0  # alerts open within a minute or two of what they are about
# A stack's policies look at two minutes, and by "Behavior of metric-based alerting policies" metrics come minutes late.
LEAST_BAKE = timedelta(minutes=5)


class Watch:
    """What the alarms of an endpoint have said since it began."""

    def __init__(self, clients: Clients, policies: Sequence[str]) -> None:
        """:param policies: display names."""
        self._clients = clients
        self._policies = policies
        self._before = {one["name"] for one in self._open()} if policies else set[str]()

    def alarm(self) -> str:
        """The alert policy that has opened an alert since; empty when none has."""
        opened = (one for one in self._open() if one["name"] not in self._before)
        return next((str(one["policy"]["displayName"]) for one in opened), "")

    def _open(self) -> list[dict[str, Any]]:
        path = f"v3/projects/{self._clients.project}/alerts"
        with told("The alarms"):
            found = list(self._clients.pages("monitoring", path, "alerts", filter='state="OPEN"'))
        return [one for one in found if one.get("policy", {}).get("displayName") in self._policies]


def check(how: Rollout) -> None:
    """:raises ConfigError: for steps that are over before an alarm can tell anything of them."""
    if how.rollout != "at once" and how.bake < LEAST_BAKE:
        least = LEAST_BAKE.total_seconds() / 60
        raise ConfigError(
            f"Each step of a {how.rollout} release bakes {how.bake.total_seconds():g} s, and alerts open minutes late.",
            f"Give bake at least {least:g} minutes, or take over at once.",
        )


def steps(how: Rollout) -> list[int]:
    """Percent of the way, step by step, the last of which is all of it."""
    if how.rollout == "canary":
        return [how.step, WHOLE]
    if how.rollout == "linear":
        return [*range(how.step, WHOLE, how.step), WHOLE]
    return [WHOLE]


def shift(
    before: Mapping[str, int],
    after: Mapping[str, int],
    how: Rollout,
    split: Callable[[Mapping[str, int]], None],
    watch: Watch,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Shift the traffic; returns the alarm because of which it went no further, or nothing.

    :param before: the shares of what serves; empty where nothing does, and then there is nothing to compare with.
    """
    for percent in steps(how) if before else [WHOLE]:
        split(mixed(before, after, percent))
        end = clock() + how.bake.total_seconds()
        while how.bake and before:
            if alarm := watch.alarm():
                return alarm
            if (left := end - clock()) <= 0:
                break
            sleep(min(POLL_S, left))
    return ""
