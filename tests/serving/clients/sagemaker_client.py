"""``sagemaker-inference``, the codec of AWS's own serving containers: it writes each request and reads each answer."""

from __future__ import annotations

from http.client import HTTPConnection
from typing import Any

import numpy as np
from operations import Case, Wrong, read_case, report, same, text
from sagemaker_inference.content_types import CSV, JSON, NPY, NPZ
from sagemaker_inference.decoder import decode
from sagemaker_inference.encoder import encode


def operations(case: Case) -> dict[str, Any]:
    """Every pair of what goes in and what comes out, and what must be refused."""

    def post(body: str | bytes, content_type: str, accept: str = "*/*") -> tuple[int, str, str]:
        connection = HTTPConnection(case.address, timeout=30)
        try:
            headers = {"Content-Type": content_type, "Accept": accept}
            connection.request("POST", "/invocations", body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheader("Content-Type", ""), text(answer.read())
        finally:
            connection.close()

    def invoke(rows: Any, content_type: str, accept: str) -> None:
        status, form, body = post(encode(rows, content_type), content_type, accept)
        same("status", (status, form), (200, JSON if accept == "*/*" else accept))
        case.check(*(of_csv if form == CSV else of_json)(body))

    def refused(status: int, body: str | bytes, content_type: str, accept: str = "*/*") -> None:
        found, form, said = post(body, content_type, accept)
        same("status", (found, form), (status, JSON))
        if not decode(said, JSON).item().get("error"):
            raise Wrong(f"the answer has no error: {said}")

    matrix = np.array(case.rows, dtype=object)
    numbers = np.zeros((1, len(case.names)), dtype=np.float32)
    return {
        "text/csv in, text/csv out": lambda: invoke(matrix, CSV, CSV),
        "text/csv in, application/json out": lambda: invoke(matrix, CSV, JSON),
        "application/json in, application/json out": lambda: invoke({"instances": case.rows}, JSON, JSON),
        "application/json in, text/csv out": lambda: invoke({"instances": case.rows}, JSON, CSV),
        "application/json in, anything out": lambda: invoke({"inputs": case.rows}, JSON, "*/*"),
        "a bare array in": lambda: invoke(matrix, JSON, JSON),
        "application/x-npy in: 415": lambda: refused(415, encode(numbers, NPY), NPY),
        "application/x-npz in: 415": lambda: refused(415, b"PK", NPZ),
        "application/x-npy out: 406": lambda: refused(406, encode(matrix, CSV), CSV, NPY),
        "a cell lacks: 400": lambda: refused(400, encode(matrix[:, 1:], CSV), CSV),
    }


def of_json(body: str) -> tuple[list[Any], list[Any]]:
    """Scores and decisions, as the decoder reads them."""
    found = decode(body, JSON).item()["predictions"]
    return [one["score"] for one in found], [one["decision"] for one in found]


def of_csv(body: str) -> tuple[list[Any], list[Any]]:
    """The same of a table; its decoder finds out the type of each column."""
    table = np.atleast_1d(decode(body, CSV)).tolist()
    return [row[0] for row in table], [row[1] for row in table]


if __name__ == "__main__":
    report(operations(read_case()))
