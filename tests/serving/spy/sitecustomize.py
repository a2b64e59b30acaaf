"""Watches a Python process from its first line on, for every way in which bytes could become objects or code.

With this folder on ``PYTHONPATH``, each process writes ``watching PID`` into the file that ``SPY`` names, then a line
for each event: a module that unpickles or trains is imported, anything at all is unpickled, or code is taken out of
bytes by anybody but Python's own import.
"""

import _pickle
import os
import pickle
import sys

BARRED = frozenset(
    ("joblib", "cloudpickle", "dill", "pandas", "sklearn", "mlflow", "pulumi", "onnx", "skops", "skl2onnx", "shelve")
)
IMPORT = "<frozen importlib._bootstrap_external>"


def note(what):
    """Write a line, whole, even where several processes write."""
    handle = os.open(os.environ["SPY"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(handle, f"{what}\n".encode())
    os.close(handle)


def spy(event, arguments):
    """See what Python itself tells."""
    if event == "pickle.find_class":
        note(f"find_class {arguments!r}")
    elif event == "import" and arguments[0].partition(".")[0] in BARRED:
        note(f"import {arguments[0]}")
    elif event in ("marshal.load", "marshal.loads") and sys._getframe(1).f_code.co_filename != IMPORT:
        note(f"{event} by {sys._getframe(1).f_code.co_filename}")


def told(function):
    """The same function, whose every call is seen: what holds no class goes unnoticed by Python."""

    def call(*arguments, **options):
        note("unpickle")
        return function(*arguments, **options)

    return call


class Unpickler(_pickle.Unpickler):
    """The same class, whose every use is seen."""

    def load(self):
        """Unpickle."""
        note("unpickle")
        return super().load()


class PythonUnpickler(pickle._Unpickler):
    """The slow one too."""

    def load(self):
        """Unpickle."""
        note("unpickle")
        return super().load()


load, loads = told(_pickle.load), told(_pickle.loads)
for module in (pickle, _pickle):
    module.load, module.loads, module.Unpickler = load, loads, Unpickler
pickle._Unpickler = PythonUnpickler
pickle._load, pickle._loads = told(pickle._load), told(pickle._loads)
note(f"watching {os.getpid()}")
sys.addaudithook(spy)
if os.environ.get("SPY_CONTROL"):
    pickle.loads(pickle.dumps(os.getcwd))
