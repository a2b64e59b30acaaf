"""What SQLite and the file system raise, as errors of our tree."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from trivet.core.errors import Locked, PlatformError, TrivetError

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
