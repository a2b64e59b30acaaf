"""The snapshot as a training sees it."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from trivet.core.canonical import digest, digest_json
from trivet.core.datacontract import Column, DataContract
from trivet.core.errors import ConfigError, IntegrityError
from trivet.core.modelpackage import Decision
from trivet.training.plan import Plan

DATA = "data.parquet"
MISSING_CATEGORY = ""  # ONNX has no missing string: training and serving give this for one


@dataclass(frozen=True)
class Rows:
    """Every row of the snapshot: its columns, its target (1 positive, 0 not) and the digest of its canonical JSON.

    In ``frame`` a missing number is NaN, a missing category the empty string, and the target is its 1 or 0.
    """

    frame: pd.DataFrame
    target: np.ndarray
    digests: list[str]

    def __len__(self) -> int:
        return len(self.frame)


def read_rows(folder: Path, plan: Plan) -> Rows:
    """Read the snapshot that the plan names.

    :raises IntegrityError: when it is another one, or was changed.
    :raises ConfigError: when the target has not exactly two outcomes.
    """
    data = (folder / DATA).read_bytes()
    if digest(data) != plan.snapshot.data:
        raise IntegrityError("The snapshot's data is not what the plan says: it was changed or mixed up.")
    table = pq.read_table(BytesIO(data))
    frame = table.to_pandas()
    target = outcomes(frame[plan.contract.target], plan.contract, plan.decision)
    frame[plan.contract.target] = target
    return Rows(
        frame=without_missing_categories(frame, plan.contract),
        target=target,
        digests=[digest_json(row) for row in table.to_pylist()],
    )


def without_missing_categories(frame: pd.DataFrame, contract: DataContract) -> pd.DataFrame:
    """The frame with the empty string for every missing category."""
    categories = [column.name for column in contract.columns if column.type == "category"]
    filled = frame.copy()
    filled[categories] = frame[categories].fillna(MISSING_CATEGORY)
    return filled


def outcomes(values: pd.Series, contract: DataContract, decision: Decision) -> np.ndarray:
    """1 where the target has its positive value, else 0.

    The positive value is the one that the decision names (``positive: "yes"``); a target of 0 and 1 may have decisions
    of other names (``positive: approve``), and its positive value is 1.

    :raises ConfigError: when there are not two values, or none is the positive one.
    """
    found = sorted(values.dropna().unique())
    if values.isna().any() or len(found) != 2:
        raise ConfigError(
            f"The target {contract.target} has {len(found)} values{' and gaps' if values.isna().any() else ''}.",
            "A binary decision needs two, and every row one of them.",
        )
    positive = _positive(contract[contract.target], decision)
    if positive not in found:
        raise ConfigError(
            f"The target {contract.target} has the values {found[0]} and {found[1]}, none of which is {positive}.",
            "Name its positive value as decision.positive in trivet.yaml.",
        )
    return values.eq(positive).to_numpy(dtype=np.int64)


def _positive(target: Column, decision: Decision) -> str | float:
    if target.type == "category":
        return decision.positive
    try:
        return float(decision.positive)
    except ValueError:
        return 1.0
