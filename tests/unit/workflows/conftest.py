"""Two stacks of one project, with models that a gate has judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from trivet.core.findings import Verdict
from trivet.core.outputs import EnvironmentName
from trivet.core.specs import ModelVersion
from trivet.governance.approval import Person
from trivet.rehearsal.rigs.judged import BEN, judgement, register_judged
from trivet.rehearsal.rigs.local import LocalRig
from trivet.rehearsal.rigs.package import make_package
from trivet.workflows.bench import Bench, workbench


class Two:
    """Stacks ``one`` and ``other`` of one project."""

    def __init__(
        self, root: Path, opened: ExitStack, one: EnvironmentName, other: EnvironmentName, regulated: str
    ) -> None:
        self.root = root
        self._opened = opened
        self.one, self.other = (
            opened.enter_context(LocalRig(root, name, environment, regulated=name == regulated, registry=True))
            for name, environment in (("one", one), ("other", other))
        )

    def bench(self, stack: str) -> Bench:
        """A bench on one of them."""
        return self._opened.enter_context(workbench(self.root, stack))

    def judged(
        self,
        stack: str = "one",
        *,
        approver: Person | None = BEN,
        verdict: Verdict = Verdict.PASS,
        number: int = 0,
        evaluation: str = "",
    ) -> ModelVersion:
        """Register a model that the gate let through; the same number is the same package."""
        folder = self.root / "packages" / str(number)
        if not folder.exists():
            make_package(folder, intercept=number / 50)
        judged = judgement(verdict).model_copy(update={"evaluation": evaluation})
        return register_judged(self.bench(stack), folder, approver=approver, judged=judged)


@pytest.fixture
def stacks(tmp_path: Path) -> Iterator[Callable[..., Two]]:
    """Makes the two, each for an environment."""
    with ExitStack() as opened:
        yield lambda one="prod", other="prod", regulated="": Two(tmp_path, opened, one, other, regulated)
