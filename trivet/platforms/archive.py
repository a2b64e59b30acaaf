"""Unpacking a packed source (tar.gz) that somebody else made: plain files only, inside the folder, within limits."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from trivet.core.errors import IntegrityError

MAX_BYTES = 512 << 20
MAX_MEMBERS = 20_000


def unpack(data: bytes, folder: Path, *, max_bytes: int = MAX_BYTES, max_members: int = MAX_MEMBERS) -> None:
    """Unpack ``data`` into ``folder``, which must not exist.

    Of a member's mode only the owner's right to execute is kept.

    :raises IntegrityError: for anything but files and folders inside, for more than the limits, for a broken archive.
    """
    folder.mkdir(parents=True)
    try:
        with tarfile.open(fileobj=_Limited(data, max_bytes), mode="r|") as archive:
            for number, member in enumerate(archive, start=1):
                if number > max_members:
                    raise IntegrityError(f"The packed source holds more than {max_members} files.")
                _extract(archive, member, folder)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise IntegrityError(f"The packed source is no whole tar.gz archive: {error}.") from error
    except (FileExistsError, NotADirectoryError) as error:
        raise IntegrityError("The packed source gives a name both to a file and to a folder.") from error


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    path = folder / _inside(member)
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    content = archive.extractfile(member) if member.isreg() else None
    if content is None or path.exists():
        raise IntegrityError(f"The packed source holds {member.name!r}, a link, a device or a name given twice.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        shutil.copyfileobj(content, file)
    path.chmod(0o700 if member.mode & 0o100 else 0o600)


def _inside(member: tarfile.TarInfo) -> PurePosixPath:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or "\\" in member.name or "\0" in member.name:
        raise IntegrityError(f"The packed source holds {member.name!r}, which leaves its folder.")
    return path


class _Limited(io.RawIOBase):
    """What the archive expands to, refused beyond the limit: headers count too, since they too are read whole."""

    def __init__(self, data: bytes, limit: int) -> None:
        self._file = gzip.GzipFile(fileobj=io.BytesIO(data))
        self._limit = limit
        self._left = limit

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(min(size, self._left + 1) if size >= 0 else self._left + 1)
        self._left -= len(chunk)
        if self._left < 0:
            raise IntegrityError(f"The packed source expands to more than {self._limit >> 20} MiB.")
        return chunk
