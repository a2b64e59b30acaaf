"""The model as a BentoML service, as its documentation writes one. MODEL is the joblib file."""

from __future__ import annotations

import os

import bentoml  # pyright: ignore[reportMissingImports]
import joblib
import numpy as np


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Scores:
    """Probabilities of rows."""

    def __init__(self) -> None:
        self.model = joblib.load(os.environ["MODEL"])

    @bentoml.api
    def predict(self, instances: np.ndarray) -> np.ndarray:
        return self.model.predict_proba(instances)[:, 1]
