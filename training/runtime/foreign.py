"""Model packages of models that were trained elsewhere: what is known of them, and plainly what is not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from trivet.core.canonical import digest_json
from trivet.core.errors import ConfigError
from trivet.core.modelpackage import CARD, GOLDEN, Decision, Input, Lineage, Serving, make_manifest
from trivet.training.cardfacts import CardFacts, FeatureFacts
from trivet.training.environment import versions
from trivet.training.mlflowfolder import MlModel, example_of
from trivet.training.runtime.adapt import adapted
from trivet.training.runtime.package import write_package
from trivet.training.runtime.profiles import make_golden
from trivet.training.runtime.rows import MISSING_CATEGORY

if TYPE_CHECKING:
    import onnx

UNKNOWN = "unknown"
NO_PURPOSE = "Not stated: the model was trained elsewhere."
LIMITS = (
    "The model was trained elsewhere. Which rows it learned from, how well it does and how it treats groups of people "
    "was not measured here.",
    "There is no profile of its training data, so drift cannot be told.",
)
EXPLANATIONS = {
    True: "The exact contribution of every feature to the log-odds, against the mean of the rows that it was converted "
    "with.",
    False: "None.",
}


def wrap(folder: Path, described: MlModel, into: Path, *, name: str, decision: Decision) -> str:
    """Write the package of the ONNX model that MLflow saved in ``folder`` and return its digest.

    :raises ConfigError: when the graph takes or gives something that no score can be made of.
    """
    model, inputs = adapted(folder / str(described.flavors["onnx"].get("data", "model.onnx")), described.columns())
    rows = typed(example_of(folder, described), inputs)
    serving = Serving(name=name, inputs=inputs, decision=decision)
    return write_foreign(into, model, None, serving, make_manifest(folder).content_digest(), rows)


def write_foreign(
    into: Path,
    model: onnx.ModelProto,
    contributions: onnx.ModelProto | None,
    serving: Serving,
    source: str,
    rows: pd.DataFrame,
) -> str:
    """Write the package of a model from elsewhere; ``rows`` show what it takes, ``source`` is the digest of what was
    brought.

    A column that lacks a value in one of the rows may lack it in a request too.

    :raises ConfigError: when what it gives for the rows are no probabilities.
    """
    serving = serving.model_copy(update={"inputs": tuple(_as_shown(one, rows) for one in serving.inputs)})
    try:
        golden = make_golden(model.SerializeToString(deterministic=True), rows, serving.inputs)
    except Exception as error:
        raise ConfigError(
            f"The model cannot score a row of its columns: {shorten(str(error), 200, placeholder='...')}.",
            "Save it with an input_example, so that it is known what its columns hold.",
        ) from error
    scores = np.array(golden.scores)
    if not (np.isfinite(scores) & (scores >= 0) & (scores <= 1)).all():
        raise ConfigError(
            f"The model gives {golden.scores[0]:g}, which is no probability.", "Export a classifier with probabilities."
        )
    found = versions()
    lineage = Lineage(
        snapshot=UNKNOWN, contract=UNKNOWN, source=source, environment=digest_json(found), params=UNKNOWN, seed=0
    )
    return write_package(
        into,
        model=model,
        contributions=contributions,
        serving=serving,
        lineage=lineage,
        documents={GOLDEN: golden, CARD: _card(serving)},
        versions=found,
    )


def _as_shown(column: Input, rows: pd.DataFrame) -> Input:
    values = rows[column.name]
    missing = values.eq(MISSING_CATEGORY) if column.type == "category" else values.isna()
    return column.model_copy(update={"nullable": column.nullable or bool(missing.any())})


def typed(rows: pd.DataFrame | None, inputs: Sequence[Input]) -> pd.DataFrame:
    """The rows with the types of the inputs; without rows one of zeros, which texts have no like of.

    :raises ConfigError: when a column is missing or holds something else, or takes texts that nobody showed.
    """
    if rows is None:
        if texts := [column.name for column in inputs if column.type == "category"]:
            raise ConfigError(
                f"The model takes texts ({', '.join(texts)}) and shows none that it knows.",
                "Save it with an input_example.",
            )
        rows = pd.DataFrame([{column.name: 0.0 for column in inputs}])
    if missing := [column.name for column in inputs if column.name not in rows]:
        raise ConfigError(f"The example rows lack {', '.join(missing)}.", "Give every column that it takes.")
    try:
        return pd.DataFrame(
            {
                column.name: rows[column.name].fillna(MISSING_CATEGORY).astype(str)
                if column.type == "category"
                else rows[column.name].astype(np.float64)
                for column in inputs
            }
        )
    except ValueError as error:
        raise ConfigError(f"The example rows do not fit the model's columns: {error}.") from error


def _card(serving: Serving) -> CardFacts:
    return CardFacts(
        model=serving.name,
        intended_use=NO_PURPOSE,
        data=None,
        features=tuple(FeatureFacts(name=column.name, description="", personal=False) for column in serving.inputs),
        audited=(),
        barred=(),
        decision=serving.decision,
        training=None,
        metrics=(),
        baseline=(),
        explanation=EXPLANATIONS[serving.contributions],
        limits=LIMITS,
    )
