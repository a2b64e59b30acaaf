"""Where a container's model package lies: in a folder that its cloud mounts, or elsewhere, from where it is fetched.

SageMaker unpacks an archive into ``/opt/ml/model``, Azure ML mounts ``<name>/<version>``, Vertex AI names a ``gs://``
folder. Whatever it is, exactly one package must be there, and what was fetched is checked before anybody uses it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import ValidationError

from trivet.core.archive import unpack
from trivet.core.document import describe
from trivet.core.errors import ConfigError, IntegrityError, PlatformError
from trivet.core.modelpackage import MANIFEST, MAX_FILES, MAX_PACKAGE, SERVING, Package, Serving
from trivet.serving.config import SEGMENT, ModelConfig
from trivet.serving.folders import OwnFolder

if TYPE_CHECKING:
    from obstore.store import ObjectStore

ARCHIVES = ("model.tar.gz", "package.tar.gz")
NAME, VERSION = "TRIVET_MODEL_NAME", "TRIVET_MODEL_VERSION"
AZURE_ROOT = "azureml-models"  # /var/azureml-app/azureml-models/<name>/<version>
SCHEMES = ("s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss")
AZURE_HOSTS = (".blob.core.windows.net", ".dfs.core.windows.net")
MAX_LOOKED_AT = 1000  # entries of a folder, while a package is looked for
PART = 16 << 20  # obstore ends a request after 30 s; its client's options would replace those of the environment
# A cloud waits some minutes for a container, so that one that cannot reach its storage should say so before.
RETRIES = 4
RETRY_SECONDS = 60
GIVE_HINT = (
    "Deploy the model with its package (SageMaker: ModelDataUrl, Vertex AI: artifact_uri, Azure ML: model), "
    "or set TRIVET_MODEL to its folder or URL."
)


def located(location: str, scratch: OwnFolder, environ: Mapping[str, str]) -> ModelConfig:
    """The one package at ``location``, under the name and the version that it is served by.

    ``location`` is a folder that is a package or holds one, one or two folders below it; a folder that holds
    ``model.tar.gz`` or ``package.tar.gz``; or the URL of such a folder in S3, Google Cloud Storage or Azure Blob,
    which is read with the instance's own credentials. ``TRIVET_MODEL_NAME`` and ``TRIVET_MODEL_VERSION`` say name
    and version, else those two folders do, as Azure ML mounts them, else it is the package's own name and ``1``.

    :param scratch: folder for what is fetched or unpacked. It is not made without need, and gone when this raises.
    :raises ConfigError: when there is no package or more than one, or it has no name.
    :raises IntegrityError: when what is there is no whole package, or larger than one may be.
    :raises PlatformError: when it cannot be fetched.
    """
    if not location:
        raise ConfigError("The cloud names no place of a model package: the variable is empty.", GIVE_HINT)
    try:
        top = folder = _fetched(location, scratch.path / "fetched") if "://" in location else Path(location).absolute()
        found = _only(folder, location)
        if found.name in ARCHIVES and not found.is_dir():
            top = scratch.path / "unpacked"
            unpack(found, top, max_bytes=MAX_PACKAGE, max_members=MAX_FILES)
            found = _only(top, location, archives=False)
        package = Package(found)
        if scratch.holds(found):
            package.verify()
        return _named(package, found.relative_to(top).parts, folder.parts, environ)
    except BaseException as error:
        scratch.remove()
        if isinstance(error, OSError):
            raise PlatformError(f"The model package at {location} cannot be read: {error.strerror}.") from error
        raise


def _only(folder: Path, location: str, *, archives: bool = True) -> Path:
    if not folder.is_dir():
        raise ConfigError(f"There is no folder {location}.", GIVE_HINT)
    found = [folder] if _is_package(folder) else [*_below(folder), *(_archives(folder) if archives else ())]
    if not found:
        raise ConfigError(f"{location} holds no model package, up to two folders below it.", GIVE_HINT)
    if len(found) > 1:
        names = ", ".join(sorted(path.relative_to(folder).as_posix() for path in found)[:5])
        raise ConfigError(
            f"{location} holds {len(found)} model packages: {names}.", "Leave one, or set TRIVET_MODEL to one of them."
        )
    return found[0]


def _below(folder: Path) -> Iterator[Path]:
    for child in _folders(folder):
        if _is_package(child):
            yield child
        else:
            yield from (path for path in _folders(child) if _is_package(path))


def _folders(folder: Path) -> list[Path]:
    """The folders in a folder, but links and what is hidden."""
    found = []
    for number, path in enumerate(folder.iterdir()):
        if number >= MAX_LOOKED_AT:
            raise ConfigError(f"{folder} holds too much to look for a model package in it.", GIVE_HINT)
        if path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
            found.append(path)
    return found


def _archives(folder: Path) -> list[Path]:
    return [path for name in ARCHIVES if (path := folder / name).is_file() and not path.is_symlink()]


def _is_package(folder: Path) -> bool:
    return os.path.lexists(folder / MANIFEST)


def _named(package: Package, below: tuple[str, ...], above: tuple[str, ...], environ: Mapping[str, str]) -> ModelConfig:
    name, version = _names_in(below, above) or (_own_name(package), "1")
    given = {"name": environ.get(NAME) or name, "version": environ.get(VERSION) or version}
    for field, value in given.items():
        if not re.fullmatch(SEGMENT, value):
            variable = NAME if field == "name" else VERSION
            raise ConfigError(
                f"{value[:64]!r} cannot be the {field} of a served model.",
                f"Set {variable} to letters, digits, dots, dashes and underscores.",
            )
    return ModelConfig(**given, package=package.folder)


def _names_in(below: tuple[str, ...], above: tuple[str, ...]) -> tuple[str, str] | None:
    """The name and the version that two folders give, above the package or from where Azure ML puts its models."""
    whole = above + below
    if AZURE_ROOT in whole and len(rest := whole[whole.index(AZURE_ROOT) + 1 :]) >= 2:
        below = rest[:2]
    if len(below) == 2 and all(re.fullmatch(SEGMENT, part) for part in below):
        return below[0], below[1]
    return None


def _own_name(package: Package) -> str:
    try:
        return Serving.model_validate_json(package.read(SERVING)).name
    except ValidationError as error:
        raise IntegrityError(f"{SERVING} of the model package is not valid: {describe(error)}.") from error


def _fetched(url: str, into: Path) -> Path:
    """Every object under a URL, as files of mode 0600 in the folder ``into``."""
    from obstore.exceptions import BaseError, InvalidPathError

    try:
        store = _store(url)
        for name, size in _listing(store, url):
            _fetch(store, name, size, into / name)
    except InvalidPathError as error:
        raise IntegrityError(f"{url} holds a name that leaves its folder: {told(error)}.") from error
    except (BaseError, OSError) as error:
        raise PlatformError(
            f"{url} cannot be read: {told(error)}.",
            "See that it exists and that this instance's identity may list and read it.",
        ) from error
    return into


def _store(url: str) -> ObjectStore:
    from obstore.store import from_url

    parts = urlsplit(url)
    azure = parts.scheme == "https" and (parts.hostname or "").endswith(AZURE_HOSTS)
    if not (parts.scheme in SCHEMES or azure) or parts.query or parts.fragment or parts.password:
        raise ConfigError(
            f"{parts.scheme}://{parts.hostname or ''} is no place to fetch a model package from.",
            f"Name a folder by one of {', '.join(SCHEMES)}, or by https at Azure Blob, without a query.",
        )
    return from_url(
        url,
        retry_config={"max_retries": RETRIES, "retry_timeout": timedelta(seconds=RETRY_SECONDS)},
    )


def _listing(store: ObjectStore, url: str) -> list[tuple[str, int]]:
    """Names and sizes of all objects, within the limits of a package: nothing is fetched of a larger one."""
    import obstore

    from trivet.platforms.store import check_key

    found: list[tuple[str, int]] = []
    total = 0
    for item in (item for page in obstore.list(store) for item in page):
        found.append((item["path"], item["size"]))
        total += item["size"]
        if len(found) > MAX_FILES or total > MAX_PACKAGE:
            raise IntegrityError(
                f"{url} holds more than a model package may: {MAX_FILES} files and {MAX_PACKAGE} bytes.",
                "Name the folder of the package itself.",
            )
    if not found:
        raise ConfigError(f"{url} holds nothing.", GIVE_HINT)
    folders = {parent for name, _ in found for parent in _parents(name)}
    # Consoles and some clients mark a folder by an empty object.
    files = [(check_key(name), size) for name, size in found if size or name not in folders | {""}]
    if len({name for name, _ in files} - folders) != len(files):
        raise IntegrityError(f"{url} gives one name to two files, or to a file and a folder.")
    return files


def _parents(name: str) -> Iterator[str]:
    while name:
        name = name.rpartition("/")[0]
        yield name


def _fetch(store: ObjectStore, name: str, size: int, path: Path) -> None:
    import obstore

    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        for start in range(0, size, PART):
            part = obstore.get_range(store, name, start=start, end=min(start + PART, size))
            file.write(part)


def told(error: Exception) -> str:
    """What failed, in one line and without a query, where a signed URL has its secret."""
    said = str(error).partition("\n")[0].partition("<?xml")[0]
    return re.sub(r"\?\S*=\S*", "?...", said).rstrip(":. ")
