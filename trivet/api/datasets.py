"""Datasets: what models were trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trivet.core.layout import project_root

if TYPE_CHECKING:
    from trivet.workflows.datasets import Noted


def datasets(name: str = "", stack: str | None = None, *, root: Path | None = None) -> list[Noted]:
    """Every snapshot of one dataset or of all, newest first."""
    from trivet.workflows.bench import workbench
    from trivet.workflows.datasets import datasets as every

    with workbench(root or project_root(), stack) as bench:
        return every(bench, name)


def dataset(reference: str, stack: str | None = None, *, root: Path | None = None) -> Noted:
    """The newest snapshot of a dataset by its name, or one by its digest or the digest's beginning.

    :raises NotFound: when there is none, or the beginning fits several.
    """
    from trivet.workflows.bench import workbench
    from trivet.workflows.datasets import dataset as one

    with workbench(root or project_root(), stack) as bench:
        return one(bench, reference)
