"""What SQLite, the file system and MLflow raise, as errors of our tree."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from trivet.core.errors import ConfigError, Locked, NotFound, PlatformError, TrivetError

_DISK = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up", errno.EROFS: "it is read-only"}


@contextmanager
def told(what: str) -> Iterator[None]:
    """Raise what this machine refused as one sentence about ``what``, the cause attached.

    :raises Locked: when another process holds the database for too long.
    :raises PlatformError: for everything else.
    """
    try:
        yield
    except TrivetError:
        raise
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise Locked(f"{what} are being written by another process.", "Call again when it has ended.") from error
        raise PlatformError(f"{what} cannot be used: {error}.") from error
    except sqlite3.DatabaseError as error:
        raise PlatformError(f"{what} are damaged: {error}.", "Restore the file from a backup.") from error
    except OSError as error:
        reason = _DISK.get(error.errno or 0, error.strerror or str(error))
        raise PlatformError(f"{what} cannot be used: {reason}.", "Make room or mend it, then call again.") from error


@contextmanager
def told_by_mlflow(what: str) -> Iterator[None]:
    """Raise what MLflow refused as one sentence about ``what``, the cause attached.

    :raises NotFound: when MLflow knows no such thing.
    :raises ConfigError: when MLflow does not take a name or a value.
    :raises PlatformError: for everything else.
    """
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        sentence = f"{what}: {str(error.message).partition(chr(10))[0].rstrip('. ')}."
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            raise NotFound(sentence) from error
        if error.error_code == "INVALID_PARAMETER_VALUE":
            raise ConfigError(sentence) from error
        raise PlatformError(sentence) from error
