"""Watching: findings from records, records sealed in the ledger, and the whole stack on one screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from trivet.core.document import Document
from trivet.core.errors import ForeignRelease, IntegrityError, NotFound
from trivet.core.findings import Finding
from trivet.core.modelpackage import PROFILE, Profile, package_key
from trivet.core.project import Drift
from trivet.core.specs import EndpointState, EndpointStatus
from trivet.governance.ledger import Entry
from trivet.governance.verification import Verification, verify
from trivet.infra.driver import record_of
from trivet.monitoring import capture, drift
from trivet.monitoring.coverage import MONITOR as COVERAGE
from trivet.monitoring.coverage import Decided, coverage, uncovered
from trivet.monitoring.heartbeat import heartbeat
from trivet.monitoring.labels import add_labels
from trivet.monitoring.publish import publish
from trivet.monitoring.segments import batches
from trivet.workflows.bench import Bench
from trivet.workflows.datasets import note_labels
from trivet.workflows.deployment import WHOLE
from trivet.workflows.release import Judged, judged_key

FINDINGS = "findings/latest.json"  # beside the records, for whoever may read them
SEGMENTS = 1000  # that one entry of the ledger seals
_FINDINGS = TypeAdapter(tuple[Finding, ...])


class Status(Document):
    """The whole stack on one screen."""

    stack: str
    engine: str
    endpoints: tuple[EndpointState, ...]
    findings: tuple[Finding, ...]
    ledger: str


def monitor(bench: Bench, labels: Path | None = None) -> dict[str, list[Finding]]:
    """Find out about every endpoint that serves, seal its records, and keep the findings for ``status``.

    :return: the findings by endpoint.
    """
    if labels:
        with bench.progress.step("Add labels") as note:
            brought = add_labels(labels, bench.records, bench.now())
            note_labels(bench, labels.name, brought)
            note(f"{brought.rows:,}")
    seal(bench)
    decided = _decided(bench)
    found: dict[str, list[Finding]] = {}
    for name in sorted(bench.platform.outputs.endpoints):
        with bench.progress.step(f"Watch endpoint {name}") as note:
            found[name] = list(_watch(bench, name, decided))
            note(drift.worst(found[name]).level if found[name] else "it serves nothing")
    every = tuple(chain.from_iterable(found.values()))
    publish(found, bench.platform.metrics, bench.now())
    bench.records.write(FINDINGS, _FINDINGS.dump_json(every, indent=2))
    return found


def seal(bench: Bench) -> None:
    """Write the digests of what was recorded since the last time to the ledger."""
    known = {(one["name"], one["size"]) for entry in bench.ledger.entries("records") for one in _sealed(entry)}
    for grown in batches(bench.records.unsealed(known), SEGMENTS):
        bench.note("records", "records", {"segments": [segment.model_dump(mode="json") for segment in grown]})


def _sealed(entry: Entry) -> list[dict[str, Any]]:
    segments = entry.body.get("segments", [])
    return [one for one in segments if isinstance(one, dict)] if isinstance(segments, list) else []


def verify_ledger(bench: Bench) -> Verification:
    """Check the chain, its anchors and the sealed records.

    :raises IntegrityError: naming everything that does not agree.
    """
    found = verify(bench.ledger, bench.records.prefix_digests)
    if not found.sound:
        raise IntegrityError(
            f"The ledger is not sound: {' '.join(found.problems)}", "Find out who changed it, and keep both versions."
        )
    return found


def status(bench: Bench) -> Status:
    """What serves now and what was found last."""
    head = bench.ledger.head()
    engine = record_of(bench.home)
    decided = _decided(bench)
    states, covered = [], []
    for name in sorted(bench.platform.outputs.endpoints):
        try:
            state = bench.platform.endpoints.state(name)
        except ForeignRelease as error:
            state = EndpointState(name=name, status=EndpointStatus.READY, url="", reason=error.message)
            covered.append(uncovered(name, error.message, bench.now()))
        if state.releases or state.shadow:
            covered.append(coverage(state, decided, bench.now()))
        states.append(state)
    return Status(
        stack=bench.platform.outputs.stack,
        engine=engine.read_text().strip() if engine.is_file() else "unknown",
        endpoints=tuple(states),
        findings=(*covered, *(one for one in last_findings(bench) if one.monitor != COVERAGE)),
        ledger=f"{head.seq} entries, head {head.hash[:19]}" if head else "empty",
    )


def last_findings(bench: Bench) -> tuple[Finding, ...]:
    """What the last ``monitor`` found."""
    written = bench.records.read(FINDINGS)
    try:
        return _FINDINGS.validate_json(written) if written is not None else ()
    except ValueError as error:
        raise IntegrityError(
            f"{FINDINGS} beside the records is not what a monitor wrote.", "`trivet monitor` writes it anew."
        ) from error


def served_since(bench: Bench, endpoint: str) -> datetime | None:
    """When the endpoint's release went out, to all of the traffic; ``None`` when there was none."""
    entries = [one for one in bench.ledger.entries("release", endpoint) if one.body.get("traffic", WHOLE) == WHOLE]
    return entries[-1].time if entries else None


def _watch(bench: Bench, name: str, decided: Mapping[str, Decided]) -> Sequence[Finding]:
    try:
        state = bench.platform.endpoints.state(name)
    except ForeignRelease as error:
        return [uncovered(name, error.message, bench.now())]
    if not state.releases:
        return []
    digest, now = state.releases[0].digest, bench.now()
    settings = _settings(bench, digest)
    start = now - settings.window
    profile = Profile.model_validate_json(bench.platform.store.get(f"{package_key(digest)}/{PROFILE}"))
    window = drift.sample(profile, capture.predictions(bench.records, name, start, now, digest))
    alive = heartbeat(capture.last_prediction(bench.records, name, now), state, settings.window, now)
    return [coverage(state, decided, now), alive, *drift.findings(profile, window, settings, start, now, now)]


def _decided(bench: Bench) -> dict[str, Decided]:
    """What the ledger says last of each package; a registry would have to be loaded, and says no more."""
    decisions = [entry.body for entry in bench.ledger.entries("approval")]
    return {
        str(one["digest"]): Decided(str(one["status"]), str(one["actor"]))
        for one in decisions
        if one.get("status") in ("approved", "rejected")  # a refusal of the rule decides nothing
    }


def _settings(bench: Bench, digest: str) -> Drift:
    try:
        return Judged.model_validate_json(bench.platform.store.get(judged_key(digest))).drift
    except NotFound:
        return Drift()
