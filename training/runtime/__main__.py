"""``python -m trivet.training.runtime``: carry out the plan in ``TRIVET_INPUT``, leave the result in ``TRIVET_OUTPUT``.

The working folder holds the user's source. The exit code is that of the error; the log's last line says what it was.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from pathlib import Path

from trivet.core.errors import ConfigError, ExitCode, TrivetError
from trivet.training.submit import FAILED, REPRODUCIBLE


def main() -> int:
    """Run the job.

    :returns: the exit code.
    """
    logging.basicConfig(level=logging.INFO, format="%(relativeCreated)6.0f ms  %(message)s", stream=sys.stdout)
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    try:
        _run()
    except TrivetError as error:
        if error.__cause__:
            traceback.print_exception(error.__cause__)
        sys.stderr.write(f"{FAILED}{error}\n")
        return int(error.exit_code)
    return int(ExitCode.OK)


def _run() -> None:
    for name in ("TRIVET_INPUT", "TRIVET_OUTPUT"):
        if name not in os.environ:
            raise ConfigError(f"{name} is not set: this runs inside a training job.", "Use `trivet train`.")
    for name, value in REPRODUCIBLE.items():
        os.environ.setdefault(name, value)
    from trivet.training.runtime.job import carry_out

    carry_out(Path(os.environ["TRIVET_INPUT"]), Path(os.environ["TRIVET_OUTPUT"]), Path.cwd())


if __name__ == "__main__":
    sys.exit(main())
