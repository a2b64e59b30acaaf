"""From a source to a frozen snapshot: collect, validate, snapshot."""

from __future__ import annotations

from dataclasses import dataclass

from trivet.core import faults
from trivet.data.collect import collect
from trivet.data.frames import read_frame
from trivet.data.snapshot import Snapshot, take_snapshot
from trivet.data.validate import QualityReport, ReasonCount, validate
from trivet.governance.evidence import DataFacts
from trivet.workflows.bench import Bench
from trivet.workflows.datasets import note_dataset
from trivet.workflows.project import ProjectFiles


@dataclass(frozen=True)
class Prepared:
    """A snapshot with what was found on the way to it."""

    snapshot: Snapshot
    quality: QualityReport
    facts: DataFacts


def prepare(bench: Bench, project: ProjectFiles) -> Prepared:
    """Freeze what the project's source holds now, as far as it keeps the data contract.

    :raises DataContractBroken: when too little of it does.
    """
    contract = project.contract
    with bench.progress.step(f"Collect {contract.name}") as note:
        collected = collect(project.settings.source, project.folder)
        note(f"{len(collected.data):,} bytes, {collected.digest[:19]}")
    with bench.progress.step("Check the rows against the data contract") as note:
        validation = validate(read_frame(collected, contract), contract)
        quality = validation.report
        note(f"{quality.accepted:,} of {quality.rows:,} rows kept, {quality.quarantined} in quarantine")
    with bench.progress.step("Freeze a snapshot") as note:
        snapshot = take_snapshot(bench.platform.store, contract, collected, validation)
        note_dataset(bench, contract, collected, snapshot)
        note(snapshot.digest[:19])
    faults.point("run.snapshot")
    missing = validation.accepted.isna().sum()
    facts = DataFacts(
        name=contract.name,
        description=contract.description,
        row=contract.row,
        source=contract.source,
        licence=contract.licence,
        contract=snapshot.contract,
        snapshot=snapshot.digest,
        rows_read=quality.rows,
        rows_kept=quality.accepted,
        quarantine={_told(reason): reason.rows for reason in quality.reasons},
        missing={str(name): int(count) for name, count in missing.items() if count},
    )
    return Prepared(snapshot, quality, facts)


def _told(reason: ReasonCount) -> str:
    example = "" if reason.example is None else f" {reason.example}"
    return f"{', '.join(reason.columns)}{example} {reason.rule}"
