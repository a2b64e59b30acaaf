"""The ledger: read it, prove it, take it along."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trivet.core.layout import project_root

if TYPE_CHECKING:
    from trivet.governance.ledger import Entry
    from trivet.governance.verification import Verification


def ledger_entries(stack: str | None = None, *, root: Path | None = None) -> list[Entry]:
    """Every entry of the ledger, oldest first."""
    from trivet.workflows.bench import workbench

    with workbench(root or project_root(), stack) as bench:
        return list(bench.ledger.entries())


def ledger_verify(stack: str | None = None, *, root: Path | None = None) -> Verification:
    """Check the ledger's chain, its anchors and the records that it names.

    :raises IntegrityError: naming everything that does not agree.
    """
    from trivet.workflows.bench import workbench
    from trivet.workflows.watch import verify_ledger

    with workbench(root or project_root(), stack) as bench:
        return verify_ledger(bench)


def ledger_export(target: Path, stack: str | None = None, *, root: Path | None = None) -> int:
    """Write every entry as a line of JSON; how many."""
    from trivet.core.files import write_atomic
    from trivet.workflows.bench import workbench

    with workbench(root or project_root(), stack) as bench:
        lines = list(bench.ledger.export())
    write_atomic(target, "".join(f"{line}\n" for line in lines), mode=0o644)
    return len(lines)
