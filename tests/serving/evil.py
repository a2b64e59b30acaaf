"""What other model servers were taken over with."""

from __future__ import annotations

import io
import json
import marshal
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from trivet.core.modelpackage import MANIFEST, SIGNATURE, Manifest, seal
from trivet.core.signing import sign


class Evil:
    """Once unpickled, it writes a file."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return Path.touch, (self.canary,)


def evil_bodies(canary: Path) -> dict[str, bytes]:
    """What servers have been taken over with: objects, as each of these formats carries them."""
    array = io.BytesIO()
    np.save(array, np.array([Evil(canary)], dtype=object), allow_pickle=True)
    code = marshal.dumps(compile(f"open({str(canary)!r}, 'w').close()", "evil", "exec"))
    reduced = {"instances": [{"py/reduce": [{"py/function": "os.system"}, ["true"]]}]}
    one = pickle.dumps(Evil(canary))
    return {
        "application/octet-stream": one,
        "application/vnd.bentoml+pickle": one,
        "application/python-pickle": pickle.dumps(Evil(canary), protocol=0),
        "application/x-npy": array.getvalue(),
        "application/x-marshal": code,
        "text/csv": one,
        "application/jsonlines": one,
        "application/json": json.dumps(reduced).encode(),
    }


def evil_package(made: Any, folder: Path, key: bytes, canary: Path) -> Path:
    """A package with everything that other servers would load, sealed and signed by its owner."""
    shutil.copytree(made.folder, folder)
    one = pickle.dumps(Evil(canary))
    for name in ("model.pkl", "python_model.pkl", "model.joblib", "model.cloudpickle", "data/model.pkl"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(one)
    evil = f"open({str(canary)!r}, 'w').close()"
    for name in ("sitecustomize.py", "inference.py", "score.py", "code/inference.py", "code/__init__.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(evil)
    with (folder / "MLmodel").open("a") as file:
        file.write("\nloader_module: inference\ncode: code\npython_model: python_model.pkl\n")
    seal(folder)
    (folder / SIGNATURE).write_bytes(sign(Manifest.read(folder / MANIFEST), key))
    return folder
