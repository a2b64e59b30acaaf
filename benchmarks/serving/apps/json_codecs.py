"""What it costs to read a request and to write a response in JSON: microseconds by codec. Argument: a body's file."""

from __future__ import annotations

import json
import sys
import timeit
from collections.abc import Callable
from pathlib import Path

import msgspec  # pyright: ignore[reportMissingImports]
import orjson
from pydantic import BaseModel


class Read(BaseModel):
    """For pydantic."""

    instances: list[list[float]]


class Struct(msgspec.Struct):
    """For msgspec, with types."""

    instances: list[list[float]]


def microseconds(function: Callable[[], object]) -> float:
    """Of the quickest of five."""
    timer = timeit.Timer(function)
    number, _ = timer.autorange()
    return min(timer.repeat(5, max(1, number // 4))) / max(1, number // 4) * 1e6


def main() -> None:
    body = Path(sys.argv[1]).read_bytes()
    text = body.decode()
    scores = {"predictions": [row[0] / 100 for row in json.loads(body)["instances"]]}
    typed = msgspec.json.Decoder(Struct)
    figures = {
        "json": [lambda: json.loads(text), lambda: json.dumps(scores).encode()],
        "orjson": [lambda: orjson.loads(body), lambda: orjson.dumps(scores)],
        "msgspec": [lambda: msgspec.json.decode(body), lambda: msgspec.json.encode(scores)],
        "msgspec, typed": [lambda: typed.decode(body), lambda: msgspec.json.encode(scores)],
        "pydantic": [lambda: Read.model_validate_json(body), lambda: orjson.dumps(scores)],
    }
    print(json.dumps({name: [microseconds(each) for each in both] for name, both in figures.items()}))


if __name__ == "__main__":
    main()
