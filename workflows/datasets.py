"""Datasets in the ledger: what was frozen of each, under which contract, and what outcomes were brought to it later.

The rows lie in the stack's store. What they are, a stack's database says with all that was decided on them: their
origin and licence, what each column is to people, and the digests by which anyone can tell that they are still these.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import AwareDatetime, Field

from trivet.core.datacontract import ColumnType, DataContract, Tag
from trivet.core.document import Document
from trivet.core.errors import NotFound
from trivet.data.collect import Collected
from trivet.data.snapshot import Snapshot
from trivet.governance.ledger import Entry
from trivet.monitoring.labels import Brought
from trivet.workflows.bench import Bench

SHORTEST = 6  # characters of a digest by which a snapshot may be named


class DatasetColumn(Document):
    """One column: its type, and what it is to people."""

    name: str
    type: ColumnType
    tags: tuple[Tag, ...] = ()


class Dataset(Document):
    """One snapshot of a dataset, as the ledger's entry has it."""

    name: str
    snapshot: str = Field(description="Digest of the rows that were kept.")
    contract: str = Field(description="Digest of the data contract.")
    contract_version: int
    source: str = Field(description="Where the data comes from, with its citation.")
    licence: str
    file: str = Field(description="Digest of the file that the rows came from.")
    data: str = Field(description="Digest of the stored rows.")
    key: str = Field(description="Where in the store they lie, with their data sheet and what is in quarantine.")
    rows: int
    quarantined: int
    target: str = Field(description="The column that holds the labels.")
    columns: tuple[DatasetColumn, ...]


class Noted(Document):
    """A snapshot, and when and by whom it was first frozen."""

    time: AwareDatetime
    actor: str
    dataset: Dataset


def note_dataset(bench: Bench, contract: DataContract, collected: Collected, snapshot: Snapshot) -> None:
    """Write to the ledger what a snapshot is; one that is known already adds nothing."""
    dataset = Dataset(
        name=contract.name,
        snapshot=snapshot.digest,
        contract=snapshot.contract,
        contract_version=contract.version,
        source=contract.source,
        licence=contract.licence,
        file=collected.digest,
        data=snapshot.data,
        key=snapshot.key,
        rows=snapshot.rows,
        quarantined=snapshot.quarantined,
        target=contract.target,
        columns=tuple(DatasetColumn(name=one.name, type=one.type, tags=one.tags) for one in contract.columns),
    )
    bench.ledger.append("dataset", bench.actor.name, contract.name, _body(dataset), once=True)


def note_labels(bench: Bench, file: str, brought: Brought) -> None:
    """Write to the ledger who brought which outcomes."""
    bench.ledger.append("labels", bench.actor.name, file, _body(brought))


def datasets(bench: Bench, name: str = "") -> list[Noted]:
    """Every snapshot of one dataset or of all, newest first."""
    return sorted(_noted(bench.ledger.entries("dataset", name or None)), key=lambda one: one.time, reverse=True)


def dataset(bench: Bench, reference: str) -> Noted:
    """The newest snapshot of a dataset by its name, or the one by its digest or the digest's beginning.

    :raises NotFound: when there is none, or the beginning fits several.
    """
    found = datasets(bench)
    named = [one for one in found if one.dataset.name == reference]
    if named:
        return named[0]
    digest = reference.removeprefix("sha256:")
    fitting = {one.dataset.snapshot: one for one in found if one.dataset.snapshot.startswith(f"sha256:{digest}")}
    if len(digest) < SHORTEST or len(fitting) != 1:
        known = ", ".join(sorted({one.dataset.name for one in found})) or "none yet"
        raise NotFound(
            f"There is no single dataset {reference}.", f"Name a dataset or more of a digest; there are: {known}."
        )
    return next(iter(fitting.values()))


def _noted(entries: Iterator[Entry]) -> Iterator[Noted]:
    for entry in entries:
        yield Noted(time=entry.time, actor=entry.actor, dataset=Dataset.parse(entry.body, f"Entry {entry.seq}"))


def _body(document: Document) -> dict[str, Any]:
    return document.model_dump(mode="json")
