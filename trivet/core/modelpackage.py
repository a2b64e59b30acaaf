"""The model package: an MLflow model folder with ONNX and a manifest of digests.

Its identity is the SHA-256 of the canonical manifest, which covers every file but the manifest itself and the
detached signature. What is learned later (approvals, aliases, metrics in use) lives in the registry, never here.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from bisect import bisect_right
from collections.abc import Container, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Annotated, Literal

from pydantic import FailFast, Field, ValidationError

from trivet.core.canonical import CHUNK, digest
from trivet.core.datacontract import ColumnType
from trivet.core.document import Document, describe
from trivet.core.errors import IntegrityError
from trivet.core.files import write_atomic

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
SERVING = "serving.json"
MODEL = "model.onnx"
CONTRIBUTIONS = "contributions.onnx"
GOLDEN = "golden.json"
PROFILE = "profile.json"
CONTRACT = "contract.json"
CARD = "modelcard.json"
LINEAGE = "lineage.json"
MAX_FILE = 4 << 30
MAX_PACKAGE = 4 << 30  # of all its files; whoever loads a package may hold it in memory
MAX_FILES = 4096  # and folders
MAX_MANIFEST = 1 << 20
MAX_SIGNATURE = 1 << 10


def package_key(package: str) -> str:
    """Store key prefix of the package with that digest."""
    return f"packages/{package.removeprefix('sha256:')}"


class FileEntry(Document):
    """One file of the package."""

    path: str
    size: int = Field(ge=0, le=MAX_FILE)
    digest: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")


class Manifest(Document):
    """Every file of a package but the manifest and its signature, sorted by path."""

    version: Literal[1] = 1
    # The first mistake ends the reading: a hostile manifest could make millions.
    files: Annotated[tuple[FileEntry, ...], FailFast()] = Field(min_length=1, max_length=MAX_FILES)


class Input(Document):
    """One input tensor of the model: a column of shape ``[rows, 1]``."""

    name: str
    type: ColumnType
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str | float, ...] | None = None
    personal: bool = False


class Decision(Document):
    """How a score becomes a decision: ``positive`` where the score is at least ``threshold``."""

    threshold: float = Field(ge=0, le=1, description="Scores at or above it are positive.")
    positive: str = Field(default="1", description="The word for a yes; a category target's own value.")
    negative: str = Field(default="0", description="The word for a no.")


class Serving(Document):
    """What a server must know to answer: inputs, decision and, where there is one, the graph of reasons.

    ``model.onnx`` takes each input as ``[rows, 1]`` (float32, or string for a category) and gives ``score``
    float32 ``[rows]``, the probability of the positive class. ``contributions.onnx`` takes the same inputs and gives
    ``contributions`` float32 ``[rows, features]``, in the order of ``inputs``, which with ``intercept`` add up to
    the score's log-odds.
    """

    version: Literal[1] = 1
    name: str
    inputs: tuple[Input, ...] = Field(min_length=1)
    decision: Decision
    contributions: bool = False
    intercept: float = 0.0


class Golden(Document):
    """A request whose answer is known: a server is ready once it gave it."""

    rows: tuple[dict[str, float | str | None], ...] = Field(min_length=1)
    scores: tuple[float, ...]
    tolerance: float = 1e-5


class FeatureProfile(Document):
    """The distribution of one feature in the training snapshot.

    Numbers: ``edges`` are the inner bounds of the bins, ``counts`` has ``len(edges) + 1`` bins. Categories:
    ``values`` name the bins, the last count is for any other value. ``missing`` counts the rows without a value.
    A number on an edge belongs to the bin above it.
    """

    name: str
    edges: tuple[float, ...] = ()
    values: tuple[str, ...] = ()
    counts: tuple[int, ...]
    missing: int = 0

    def bin_of(self, value: float | str | None) -> int:
        """Index of the value's bin in ``counts``; ``len(counts)`` for a missing value."""
        if value is None or value != value:
            return len(self.counts)
        if isinstance(value, str):
            return self.values.index(value) if value in self.values else len(self.values)
        return bisect_right(self.edges, value)


class Profile(Document):
    """Distributions of features and of the score, over the rows that the model was trained on."""

    version: Literal[1] = 1
    rows: int
    features: tuple[FeatureProfile, ...]
    score: FeatureProfile


class Lineage(Document):
    """What a package was made from."""

    snapshot: str
    contract: str
    source: str
    environment: str
    params: str
    seed: int


def files_of(folder: Path) -> Iterator[Path]:
    """Every file under a package's folder, sorted; a link or a device is refused.

    :raises IntegrityError: for anything that is neither a file nor a folder, or has a second name on the disk, and for
        more than ``MAX_FILES``.
    :raises OSError: when a folder cannot be read.
    """
    found: list[Path] = []
    folders = [folder]
    for number, path in enumerate(entry for here in folders for entry in here.iterdir()):
        if number >= MAX_FILES:
            raise IntegrityError(f"The model package holds more than {MAX_FILES} files and folders.")
        status = path.lstat()
        if stat.S_ISDIR(status.st_mode):
            folders.append(path)
            continue
        _refuse_other_than_plain(path.name, status)
        found.append(path)
    yield from sorted(found)


def _refuse_other_than_plain(name: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        raise IntegrityError(f"{name} in the model package is a link or no regular file.")


def _open_plain(path: Path) -> IO[bytes]:
    """Open a file that is no link: what is checked is the very file that will be read.

    :raises FileNotFoundError: when there is none.
    :raises IntegrityError: when it is a link or no regular file.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # a link; a socket
            raise IntegrityError(f"{path.name} in the model package is a link or no regular file.") from error
        raise
    file = os.fdopen(handle, "rb")
    try:
        _refuse_other_than_plain(path.name, os.fstat(handle))
    except IntegrityError:
        file.close()
        raise
    return file


def _read_plain(path: Path, limit: int) -> bytes:
    """A plain file's bytes, at most one more than ``limit``."""
    with _open_plain(path) as file:
        return file.read(limit + 1)


def make_manifest(folder: Path) -> Manifest:
    """Describe every file of the folder."""
    entries = []
    for path in files_of(folder):
        name = path.relative_to(folder).as_posix()
        if name not in (MANIFEST, SIGNATURE):
            data = path.read_bytes()
            entries.append(FileEntry(path=name, size=len(data), digest=digest(data)))
    return Manifest(files=tuple(entries))


def seal(folder: Path) -> str:
    """Write the manifest of a finished folder and return the package's digest."""
    manifest = make_manifest(folder)
    write_atomic(folder / MANIFEST, manifest.canonical(), mode=0o644)
    return manifest.content_digest()


class Package:
    """A package opened for reading: bytes leave it only once they match the manifest.

    Opening checks that exactly the files of the manifest are there, in their sizes and within the limits. ``read``
    checks the very bytes it returns, so that nothing can be exchanged between the check and the use.
    """

    def __init__(self, folder: Path) -> None:
        """Open ``folder``. Nothing but its manifest is read.

        :raises IntegrityError: when a file is missing, extra, linked or of another size, or the manifest is no
            manifest or describes more than ``MAX_PACKAGE`` bytes.
        """
        self.folder = folder
        self.manifest = self._read_manifest()
        self.digest = self.manifest.content_digest()
        self._entries = {entry.path: entry for entry in self.manifest.files}
        self._check_manifest()
        self._check_files()

    def _read_manifest(self) -> Manifest:
        try:
            text = _read_plain(self.folder / MANIFEST, MAX_MANIFEST)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise IntegrityError(
                f"{self.folder.name} has no {MANIFEST}: it is no model package.", "Make one with `trivet train`."
            ) from error
        if len(text) > MAX_MANIFEST:
            raise IntegrityError(f"{MANIFEST} of {self.folder.name} is larger than {MAX_MANIFEST} bytes.")
        try:
            return Manifest.model_validate_json(text)
        except ValidationError as error:
            wrong = describe(error)
            shown = wrong if len(wrong) <= 500 else f"{wrong[:500]} and more"
            raise IntegrityError(f"{MANIFEST} of {self.folder.name} is not valid: {shown}.") from error

    def _check_manifest(self) -> None:
        if len(self._entries) != len(self.manifest.files):
            raise IntegrityError("The manifest names a file twice.")
        if sum(entry.size for entry in self.manifest.files) > MAX_PACKAGE:
            raise IntegrityError(f"The manifest describes more than {MAX_PACKAGE} bytes.", "Make the model smaller.")
        for name in self._entries:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
                raise IntegrityError(f"The manifest names {name!r}, which leaves the package.")

    def _check_files(self) -> None:
        there = {path.relative_to(self.folder).as_posix(): path for path in files_of(self.folder)}
        if extra := sorted(there.keys() - self._entries.keys() - {MANIFEST, SIGNATURE}):
            raise IntegrityError(f"The model package holds files that its manifest lacks: {_few(extra)}.")
        if missing := sorted(self._entries.keys() - (there.keys() - {MANIFEST, SIGNATURE})):
            raise IntegrityError(f"The model package lacks files of its manifest: {_few(missing)}.")
        for name, entry in self._entries.items():
            if there[name].lstat().st_size != entry.size:
                raise self._changed(name)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def read(self, name: str) -> bytes:
        """The verified bytes of one file.

        :raises IntegrityError: when they are not what the manifest says, or the manifest lacks the name.
        """
        entry = self._entries.get(name)
        if entry is None:
            raise IntegrityError(f"The model package has no {name}.")
        with self._opened(name) as file:
            data = file.read(entry.size + 1)
        if len(data) != entry.size or digest(data) != entry.digest:
            raise self._changed(name)
        return data

    def verify(self, *, but: Container[str] = ()) -> None:
        """Check every file, or every file ``but`` these, without holding one in memory.

        :raises IntegrityError: for the first one that was changed.
        """
        for name, entry in self._entries.items():
            if name in but:
                continue
            sha, left = hashlib.sha256(), entry.size
            with self._opened(name) as file:
                while left >= 0 and (chunk := file.read(min(CHUNK, left + 1))):
                    sha.update(chunk)
                    left -= len(chunk)
            if left or f"sha256:{sha.hexdigest()}" != entry.digest:
                raise self._changed(name)

    def _opened(self, name: str) -> IO[bytes]:
        try:
            return _open_plain(self.folder / name)
        except FileNotFoundError as error:
            raise self._changed(name) from error

    def signature(self) -> bytes | None:
        """The detached signature, if the package is signed.

        :raises IntegrityError: when it is a link, or larger than a signature.
        """
        try:
            data = _read_plain(self.folder / SIGNATURE, MAX_SIGNATURE)
        except FileNotFoundError:
            return None
        if len(data) > MAX_SIGNATURE:
            raise IntegrityError(f"{SIGNATURE} of {self.folder.name} is larger than a signature.")
        return data

    def _changed(self, name: str) -> IntegrityError:
        return IntegrityError(f"{name} is not what the manifest of {self.digest[:19]} says: it was changed.")


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
