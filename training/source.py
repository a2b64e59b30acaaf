"""A project's code as one file: the same code gives the same bytes."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from trivet.core.canonical import digest
from trivet.core.errors import ConfigError

TRAIN = "train.py"
_SKIPPED = {"__pycache__", "tests"}


@dataclass(frozen=True)
class PackedSource:
    """A tar.gz of a project's Python files, and its digest."""

    data: bytes
    digest: str

    @property
    def key(self) -> str:
        """Where it lies in the store."""
        return f"sources/{self.digest.removeprefix('sha256:')}/source.tar.gz"


def pack_source(folder: Path) -> PackedSource:
    """Pack ``train.py`` with the other modules of the project's folder and the packages in it.

    Only Python files, in order, without times, owners or permissions.

    :raises ConfigError: when there is no ``train.py``, or one of the files is a link.
    """
    if not (folder / TRAIN).is_file():
        raise ConfigError(f"{folder} has no {TRAIN}.", "Write it with one function: train(frame, params) -> estimator.")
    tar = BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(_modules(folder)):
            content = path.read_bytes()
            member = tarfile.TarInfo(path.relative_to(folder).as_posix())
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, BytesIO(content))
    data = gzip.compress(tar.getvalue(), mtime=0)
    return PackedSource(data, digest(data))


def _modules(folder: Path) -> Iterator[Path]:
    """The Python files of a folder and of the packages in it."""
    for path in folder.iterdir():
        if path.suffix == ".py":
            if path.is_symlink() or not path.is_file():
                raise ConfigError(f"{path} is a link or no regular file.", "Put the module itself there.")
            yield path
        elif path.name not in _SKIPPED and not path.is_symlink() and (path / "__init__.py").is_file():
            yield from _modules(path)
