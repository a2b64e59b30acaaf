"""Collection: the bytes of a project's data, known by their digest before anything reads them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from trivet.core.canonical import digest
from trivet.core.errors import ConfigError, IntegrityError, NotFound
from trivet.core.project import FileSource, PackageSource


@dataclass(frozen=True)
class Collected:
    """The bytes of a data file as its source gave them, their digest and the file's name."""

    data: bytes
    digest: str
    name: str


def collect(source: FileSource | PackageSource, base: Path) -> Collected:
    """Read the file that ``source`` names; a relative path starts at ``base``, the project's folder.

    The package of a ``PackageSource`` is found, never imported: none of its code runs.

    :raises NotFound: when there is no such file or package.
    :raises IntegrityError: when the bytes are not those that the source's ``sha256`` names.
    """
    path = base / source.path if isinstance(source, FileSource) else _in_package(source)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NotFound(
            f"The data file {path} cannot be read: {error.strerror}.", "Correct source.path in trivet.yaml."
        ) from error
    found = digest(data)
    if found != f"sha256:{source.sha256}":
        raise IntegrityError(
            f"{path.name} has the digest {found}, not sha256:{source.sha256}: it is not the file that was meant.",
            "Restore that file, or look at what changed and write the new digest to source.sha256 in trivet.yaml.",
        )
    return Collected(data, found, path.name)


def _in_package(source: PackageSource) -> Path:
    spec = find_spec(source.package) if source.package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise NotFound(
            f"The data lies in the Python package {source.package}, which is not installed.",
            f"Install it: pip install {source.package}",
        )
    folder = Path(next(iter(spec.submodule_search_locations))).resolve()
    path = (folder / source.path).resolve()
    if not path.is_relative_to(folder):
        raise ConfigError(f"{source.path} leaves the package {source.package}.", "Name a file inside the package.")
    return path
