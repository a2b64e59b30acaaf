"""Model packages in the store, by digest: the manifest goes last, so that what is there is whole."""

from __future__ import annotations

import shutil
from pathlib import Path

from trivet.core import signing
from trivet.core.errors import IntegrityError, NotFound
from trivet.core.faults import point
from trivet.core.modelpackage import MANIFEST, SIGNATURE, Package, package_key
from trivet.core.platform import Store
from trivet.core.signing import Signer
from trivet.platforms.store import get_folder


def put_package(store: Store, package: Package, sign: Signer) -> str:
    """Store a package with a signature of our own and return its key prefix.

    What is stored are the very bytes that were checked. A signature that came with the package is left behind.

    :raises IntegrityError: when a file is not what the manifest says.
    """
    key = package_key(package.digest)
    for entry in package.manifest.files:
        store.put(f"{key}/{entry.path}", package.read(entry.path))
    point("register.files")
    store.put(f"{key}/{SIGNATURE}", sign(package.manifest))
    store.put(f"{key}/{MANIFEST}", package.manifest.canonical())
    return key


def get_package(store: Store, digest: str, folder: Path, public_key: str) -> Package:
    """Fetch a package into ``folder``, unless it lies there unharmed, and check its digest, files and signature.

    :raises NotFound: when the store does not hold it.
    :raises IntegrityError: when what the store holds is not that package, or not signed with the stack's key.
    """
    try:
        return _checked(folder, digest, public_key)
    except (IntegrityError, FileNotFoundError):
        shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        get_folder(store, package_key(digest), folder, last=MANIFEST)
    except NotFound as error:
        raise NotFound(f"The store has no model package {digest[:19]}.", "Register it first.") from error
    return _checked(folder, digest, public_key)


def _checked(folder: Path, digest: str, public_key: str) -> Package:
    package = Package(folder)
    if package.digest != digest:
        raise IntegrityError(f"{folder.name} holds model package {package.digest[:19]} instead of {digest[:19]}.")
    package.verify()
    signing.verify(package, public_key)
    return package
