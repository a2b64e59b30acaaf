"""What every step of a workflow works with: one stack's platform, its ledger, its records, a clock and who acts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trivet.connect import connect
from trivet.core.layout import stack_home
from trivet.core.platform import Platform
from trivet.core.policy import Profile
from trivet.core.progress import Progress, Silent
from trivet.governance.backends import backend_at
from trivet.governance.ledger import Kind, Ledger
from trivet.monitoring.segments import Records, records_at
from trivet.workflows.actors import Actor, current_actor


@dataclass(frozen=True)
class Bench:
    """A workplace on one stack."""

    platform: Platform
    root: Path
    home: Path
    ledger: Ledger
    records: Records
    actor: Actor
    progress: Progress = field(default_factory=Silent)

    @property
    def profile(self) -> Profile:
        """Which approval rule of the policy holds here."""
        outputs = self.platform.outputs
        return "regulated" if outputs.regulated else outputs.environment

    def note(self, kind: Kind, subject: str, body: dict[str, Any], actor: str = "") -> None:
        """Write to the ledger, unless the last entry about the subject says just this: a repeated step adds nothing."""
        said = list(self.ledger.entries(kind, subject))
        if not said or said[-1].body != body:
            self.ledger.append(kind, actor or self.actor.name, subject, body)

    @staticmethod
    def now() -> datetime:
        """The time, with its zone."""
        return datetime.now(UTC)


@contextmanager
def workbench(
    root: Path, stack: str | None = None, *, outputs: Path | None = None, progress: Progress | None = None
) -> Iterator[Bench]:
    """A bench on a stack that is up.

    :raises NotReady: when it is not.
    """
    with connect(stack, outputs, root) as platform:
        home = stack_home(root, platform.outputs.stack)
        backend = backend_at(platform.outputs.ledger, home, platform.database_login(), platform.store_at)
        ledger = Ledger(backend, platform.store)
        records = records_at(platform.outputs.records, home, platform.store_at)
        yield Bench(platform, root, home, ledger, records, current_actor(), progress or Silent())
