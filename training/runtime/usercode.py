"""The user's ``train.py``: loaded, called, and held to what a release can be made of."""

from __future__ import annotations

import random
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from trivet.core.errors import ConfigError
from trivet.training.params import TrainParams
from trivet.training.source import TRAIN

Train = Callable[[pd.DataFrame, TrainParams], Any]


@dataclass(frozen=True)
class Fitted:
    """A fitted binary classifier and the columns that it takes, in its order."""

    estimator: Any
    inputs: tuple[str, ...]

    def score(self, frame: pd.DataFrame) -> np.ndarray:
        """The probability of the positive class, ``float64 [rows]``."""
        return np.asarray(self.estimator.predict_proba(frame[list(self.inputs)]), dtype=np.float64)[:, 1]


def load_train(folder: Path) -> Train:
    """The function ``train`` of the source in ``folder``. Modules beside it can be imported, after all others.

    :raises ConfigError: when there is none, or its module fails.
    """
    sys.path.append(str(folder))
    spec = spec_from_file_location("train", folder / TRAIN)
    if spec is None or spec.loader is None or not (folder / TRAIN).is_file():
        raise ConfigError(f"The source has no {TRAIN}.")
    module = module_from_spec(spec)
    sys.modules["train"] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise _failed(error, "cannot be loaded") from error
    train = getattr(module, "train", None)
    if not callable(train):
        raise ConfigError(f"{TRAIN} has no function train.", "Write: def train(frame, params) -> estimator.")
    return train


def fit(train: Train, frame: pd.DataFrame, params: TrainParams) -> Fitted:
    """Call the user's function on its own copy of the rows and check what it returns.

    Python's and NumPy's global generators are seeded before, so that whoever draws from them gets the same again.

    :raises ConfigError: when the function fails, or returns anything but a fitted binary classifier with
        probabilities that takes permitted features by name.
    """
    random.seed(params.seed)
    np.random.seed(params.seed)
    try:
        estimator = train(frame.copy(), params)
    except Exception as error:
        raise _failed(error, "failed") from error
    return Fitted(estimator, checked_inputs(estimator, params))


def checked_inputs(estimator: Any, params: TrainParams) -> tuple[str, ...]:
    """The columns that the estimator takes.

    :raises ConfigError: when it is no fitted binary classifier with probabilities, or takes what it must not.
    """
    kind = type(estimator).__name__
    if not hasattr(estimator, "predict_proba"):
        raise ConfigError(f"train() returned a {kind}, which gives no probabilities.", "Return a classifier that does.")
    classes = list(getattr(estimator, "classes_", ()))
    if classes != [0, 1]:
        raise ConfigError(
            f"train() returned a {kind} {f'for the classes {classes}' if classes else 'that is not fitted'}.",
            f"Fit it on frame[params.target], which is 0 or 1 ({params.target}).",
        )
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        raise ConfigError(
            f"train() returned a {kind} that does not know its columns.",
            "Fit it on frame[list(params.features)], not on an array.",
        )
    if barred := [str(name) for name in names if name not in params.features]:
        raise ConfigError(
            f"train() returned a {kind} that takes {', '.join(barred)}, which a model of this project may not see.",
            "Fit it on frame[list(params.features)].",
        )
    return tuple(str(name) for name in names)


def _failed(error: Exception, how: str) -> ConfigError:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).name == TRAIN]
    line = f", line {own[-1].lineno}" if own else ""
    return ConfigError(f"{TRAIN}{line} {how}: {type(error).__name__}: {error}.", "Correct it and call again.")
