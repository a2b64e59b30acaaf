"""Writes down what a program asks of Pulumi's resource monitor, whichever monitor that is.

A recorded program calls :func:`record` before anything else. The SDK looks a method up when it calls it, so that the
stack's own registration, which is scheduled before the program begins, is written down, too.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from pulumi.runtime.settings import get_monitor

METHODS = ("RegisterResource", "RegisterResourceOutputs", "ReadResource", "Invoke")
TO = "RECORDING"

_writing = threading.Lock()


def record() -> None:
    """Append each request from now on, as one line of JSON, to the file that ``RECORDING`` names."""
    monitor, path = get_monitor(), Path(os.environ[TO])
    for method in METHODS:
        setattr(monitor, method, _recorded(method, getattr(monitor, method), path))


def _recorded(method: str, call: Callable[..., Any], path: Path) -> Callable[..., Any]:
    def recorded(request: Any, *rest: Any, **options: Any) -> Any:
        line = json.dumps({"method": method, **json_format.MessageToDict(request)})
        with _writing, path.open("a") as file:
            file.write(line + "\n")
        return call(request, *rest, **options)

    return recorded
