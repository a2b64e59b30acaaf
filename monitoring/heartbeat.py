"""The heartbeat of records: an endpoint that is ready and writes none is a monitor that sees nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

from trivet.core.findings import Finding, Level
from trivet.core.specs import EndpointState, EndpointStatus

MONITOR = "records"


def heartbeat(last: datetime | None, endpoint: EndpointState, silence: timedelta, now: datetime) -> Finding:
    """Whether records still come in. ``effect`` and ``threshold`` are hours of silence.

    ``unknown`` when the endpoint has been ready without a record for ``silence``, since nobody called it or nothing
    was recorded, and when it is not ready, since then nothing can be; never ``alarm``, for silence has no effect size.
    """
    level, note = _judge(last, endpoint, silence, now)
    return Finding(
        monitor=MONITOR,
        subject=endpoint.name,
        level=level,
        effect=None if last is None else (now - last) / timedelta(hours=1),
        sample=0 if last is None else 1,
        start=last,
        end=now,
        threshold=silence / timedelta(hours=1),
        source="drift.window of trivet.yaml: silence for longer leaves the window empty",
        note=note,
        time=now,
    )


def _judge(last: datetime | None, endpoint: EndpointState, silence: timedelta, now: datetime) -> tuple[Level, str]:
    came = f"the last record is of {last:%Y-%m-%d %H:%M} UTC" if last else "no record ever came in"
    if endpoint.status is not EndpointStatus.READY:
        return Level.UNKNOWN, f"the endpoint is {endpoint.status}, and {came}"
    quiet_since = max(filter(None, (last, endpoint.since)), default=None)
    if last is not None and now - last <= silence:
        return Level.OK, came
    if quiet_since is not None and now - quiet_since <= silence:
        return Level.OK, f"{came}, and the endpoint is ready since {quiet_since:%Y-%m-%d %H:%M} UTC"
    return Level.UNKNOWN, f"the endpoint is ready, but {came}"
