"""Model packages as one archive, for services that take no folder: the same package always gives the same bytes."""

from __future__ import annotations

import gzip
import tarfile
import tempfile
from pathlib import Path

from trivet.core.faults import point
from trivet.core.modelpackage import MANIFEST, SIGNATURE, Package
from trivet.core.platform import Store
from trivet.platforms.packages import get_package

ARCHIVE = "model.tar.gz"
FOLDER = "packed"
FAST = 1  # of gzip: trees and floats hardly shrink more, and a job waits for this


def packed_key(digest: str) -> str:
    """Where in the store the archive of the package with that digest lies: not among the package's own files."""
    return f"{FOLDER}/{digest.removeprefix('sha256:')}/{ARCHIVE}"


def put_packed(store: Store, digest: str, public_key: str) -> str:
    """Put the archive of a package of the store beside it, unless it is there, and return its key.

    What is packed was checked first: digest, files and signature, which whoever unpacks it checks again. Neither the
    package nor the archive is ever in the memory as a whole. Of two who do this at once both put the same bytes.

    :raises NotFound: when the store does not hold the package.
    :raises IntegrityError: when what the store holds is not that package, or not signed with the stack's key.
    """
    key = packed_key(digest)
    if store.list(key):
        return key
    with tempfile.TemporaryDirectory(prefix="trivet-packed-") as scratch:
        package = get_package(store, digest, Path(scratch, "package"), public_key)
        pack(package, Path(scratch, ARCHIVE))
        point("packed.written")
        store.put(key, Path(scratch, ARCHIVE))
    return key


def pack(package: Package, archive: Path) -> None:
    """Write a package as a tar archive in gzip: in the order of names, without times, owners or other files."""
    names = sorted([MANIFEST, SIGNATURE, *(entry.path for entry in package.manifest.files)])
    with (
        archive.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=FAST, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.GNU_FORMAT, encoding="utf-8") as tar,
    ):
        for name in names:
            path = package.folder / name
            member = tarfile.TarInfo(name)
            member.size, member.mode = path.stat().st_size, 0o644
            with path.open("rb") as content:
                tar.addfile(member, content)
