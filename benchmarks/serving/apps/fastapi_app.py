"""The plain app that everybody writes: FastAPI, an async function, scikit-learn. MODEL is the joblib file."""

from __future__ import annotations

import os

import joblib
import numpy as np
from fastapi import FastAPI  # pyright: ignore[reportMissingImports]
from pydantic import BaseModel

app = FastAPI()
model = joblib.load(os.environ["MODEL"])


class Rows(BaseModel):
    """The request."""

    instances: list[list[float]]


class Scores(BaseModel):
    """The response."""

    predictions: list[float]


@app.get("/health")
async def health() -> dict[str, bool]:
    return {"ready": True}


@app.post("/predict")
async def predict(rows: Rows) -> Scores:
    return Scores(predictions=model.predict_proba(np.array(rows.instances))[:, 1].tolist())
