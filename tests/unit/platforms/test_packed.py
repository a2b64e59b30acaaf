"""A model package as one archive: the same bytes of the same package, nothing unsigned in it, never all in memory."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from trivet.core.archive import unpack
from trivet.core.errors import IntegrityError, NotFound
from trivet.core.modelpackage import MODEL, SIGNATURE, Package, package_key, seal
from trivet.core.signing import new_key, public_key, signer, verify
from trivet.platforms.packages import put_package
from trivet.platforms.packed import ARCHIVE, pack, packed_key, put_packed
from trivet.platforms.store import ObjectStore
from trivet.rehearsal.rigs.package import make_package
from trivet.serving.folders import OwnFolder
from trivet.serving.locate import located

KEY = new_key()
MEGABYTE = 1 << 20


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore((tmp_path / "store").as_uri())


@pytest.fixture
def digest(store: ObjectStore, tmp_path: Path) -> str:
    """Of a package that the store holds."""
    made = make_package(tmp_path / "package")
    put_package(store, Package(tmp_path / "package"), signer(KEY))
    return made


def test_a_package_is_packed_with_its_signature_and_nothing_else_and_served_from_there(
    store: ObjectStore, digest: str, tmp_path: Path
) -> None:
    key = put_packed(store, digest, public_key(KEY))
    assert key == packed_key(digest) and not key.startswith(package_key(digest))
    folder = tmp_path / "mounted"
    folder.mkdir()
    (folder / ARCHIVE).write_bytes(store.get(key))
    with OwnFolder("trivet-test-", tmp_path) as scratch:
        found = located(str(folder), scratch, {})
        verify(Package(found.package), public_key(KEY))
        assert Package(found.package).digest == digest
    unpack(store.get(key), tmp_path / "unpacked")
    there = {path.relative_to(tmp_path / "unpacked").as_posix() for path in (tmp_path / "unpacked").rglob("*")}
    assert there == {key.removeprefix(f"{package_key(digest)}/") for key in store.list(f"{package_key(digest)}/")}


def test_the_same_package_gives_the_same_bytes_whenever_and_by_whomever(tmp_path: Path) -> None:
    for number, name in enumerate(("one", "two")):
        make_package(tmp_path / name)
        (tmp_path / name / SIGNATURE).write_bytes(b"signature")
        for path in (tmp_path / name).iterdir():
            path.chmod(0o600 if number else 0o755)
            os.utime(path, (number, number))
        pack(Package(tmp_path / name), tmp_path / f"{name}.tar.gz")
    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "two.tar.gz").read_bytes()


def test_what_is_there_is_not_packed_again(store: ObjectStore, digest: str) -> None:
    store.put(packed_key(digest), b"there")
    assert put_packed(store, digest, public_key(KEY)) == packed_key(digest)
    assert store.get(packed_key(digest)) == b"there"


def test_nothing_is_packed_that_is_not_what_was_signed(store: ObjectStore, digest: str) -> None:
    with pytest.raises(IntegrityError):
        put_packed(store, digest, public_key(new_key()))
    store.put(f"{package_key(digest)}/{MODEL}", b"another model")
    with pytest.raises(IntegrityError):
        put_packed(store, digest, public_key(KEY))
    with pytest.raises(NotFound):
        put_packed(store, f"sha256:{'0' * 64}", public_key(KEY))
    assert store.list("packed/") == []


def test_a_large_package_is_never_in_the_memory_as_a_whole(store: ObjectStore, tmp_path: Path) -> None:
    folder = tmp_path / "large"
    make_package(folder)
    with (folder / "weights.bin").open("wb") as file:
        for _ in range(48):
            file.write(os.urandom(MEGABYTE))
    (folder / ("deep" * 20)).mkdir()
    (folder / ("deep" * 20) / ("long" * 30)).write_bytes(b"a name that is too long for a plain header")
    (folder / "manifest.json").unlink()
    made = seal(folder)
    put_package(store, Package(folder), signer(KEY))
    tracemalloc.start()
    try:
        key = put_packed(store, made, public_key(KEY))
        assert tracemalloc.get_traced_memory()[1] < 16 * MEGABYTE
    finally:
        tracemalloc.stop()
    with OwnFolder("trivet-test-", tmp_path) as scratch:
        (tmp_path / "there").mkdir()
        (tmp_path / "there" / ARCHIVE).write_bytes(store.get(key))
        assert Package(located(str(tmp_path / "there"), scratch, {}).package).digest == made
