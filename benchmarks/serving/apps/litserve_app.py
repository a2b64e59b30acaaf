"""The model behind LitServe. MODEL is the joblib file, PORT where to listen."""

from __future__ import annotations

import os
from typing import Any

import joblib
import litserve  # pyright: ignore[reportMissingImports]
import numpy as np


class Scores(litserve.LitAPI):
    """Probabilities of rows."""

    def setup(self, device: str) -> None:  # noqa: ARG002
        self.model = joblib.load(os.environ["MODEL"])

    def decode_request(self, request):  # no annotation: LitServe reads it, and would take a string for another type
        return np.array(request["instances"])

    def predict(self, rows: np.ndarray) -> np.ndarray:
        return self.model.predict_proba(rows)[:, 1]

    def encode_response(self, scores: np.ndarray) -> dict[str, Any]:
        return {"predictions": scores.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Scores(), accelerator="cpu", workers_per_device=1)
    port = int(os.environ["PORT"])
    server.run(
        host="127.0.0.1",
        port=port,
        num_api_servers=1,
        generate_client_file=False,
        log_level="warning",
        access_log=False,
    )
