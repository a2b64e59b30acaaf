"""What can be done to a model package between its sealing and its use; none of it may be served."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from trivet.core.modelpackage import CONTRIBUTIONS, MANIFEST, MAX_MANIFEST, MODEL, SERVING, SIGNATURE, Manifest, seal
from trivet.core.signing import new_key, sign

Spoil = Callable[[Path, bytes], None]  # the package's folder and its owner's key


def change(folder: Path, _: bytes) -> None:
    data = bytearray((folder / MODEL).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / MODEL).write_bytes(data)


def remove(folder: Path, _: bytes) -> None:
    (folder / CONTRIBUTIONS).unlink()


def add(folder: Path, _: bytes) -> None:
    (folder / "code").mkdir()
    (folder / "code" / "more.py").write_text("")


def link(folder: Path, _: bytes) -> None:
    (folder / MODEL).rename(folder.parent / f"{folder.name}-elsewhere")
    (folder / MODEL).symlink_to(folder.parent / f"{folder.name}-elsewhere")


def link_hard(folder: Path, _: bytes) -> None:
    os.link(folder / MODEL, folder.parent / f"{folder.name}-elsewhere")


def grow(folder: Path, _: bytes) -> None:
    os.truncate(folder / MODEL, 1 << 40)


def shorten(folder: Path, _: bytes) -> None:
    os.truncate(folder / MODEL, 100)


def pipe(folder: Path, _: bytes) -> None:
    os.mkfifo(folder / "pipe")


def bloat_manifest(folder: Path, _: bytes) -> None:
    (folder / MANIFEST).write_bytes(b" " * MAX_MANIFEST + (folder / MANIFEST).read_bytes())


def nest_manifest(folder: Path, _: bytes) -> None:
    (folder / MANIFEST).write_bytes(b'{"files":' + b"[" * 100_000)


def unsign(folder: Path, _: bytes) -> None:
    (folder / SIGNATURE).unlink()


def sign_by_another(folder: Path, _: bytes) -> None:
    (folder / SIGNATURE).write_bytes(sign(Manifest.read(folder / MANIFEST), new_key()))


def seal_again(folder: Path, _: bytes) -> None:
    """With another threshold, under the old signature."""
    (folder / SERVING).write_text((folder / SERVING).read_text().replace("0.5", "0.9"))
    seal(folder)


def point_outside(folder: Path, key: bytes) -> None:
    """Even its owner cannot sign a package that takes a file from elsewhere."""
    manifest = Manifest.read(folder / MANIFEST)
    entry = manifest.files[0].model_copy(update={"path": "../outside"})
    outside = manifest.model_copy(update={"files": (*manifest.files, entry)})
    (folder / MANIFEST).write_bytes(outside.canonical())
    (folder / SIGNATURE).write_bytes(sign(outside, key))


SPOILS = [
    change,
    remove,
    add,
    link,
    link_hard,
    grow,
    shorten,
    pipe,
    bloat_manifest,
    nest_manifest,
    unsign,
    sign_by_another,
    seal_again,
    point_outside,
]
