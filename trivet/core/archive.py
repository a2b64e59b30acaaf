"""Unpacking what somebody else packed, a source or a model package: plain files only, inside the folder, within limits.

A reader of our own, since the standard library's takes links, devices, sparse files, numbers and names that overrule
each other, and an archive that ends in the middle. What is read here: ustar headers, the long names of GNU tar, and of
pax headers ``path`` and ``size``. All else that would change what is written is refused.
"""

from __future__ import annotations

import gzip
import io
import os
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from trivet.core.errors import IntegrityError

MAX_BYTES = 512 << 20
MAX_MEMBERS = 20_000
MAX_RATIO = 100  # text and trees of decisions compress to a tenth, hardly ever to a fortieth
SMALL = 8 << 20  # what any archive may expand to, whatever its ratio: headers and padding compress a thousandfold
MAX_NAME = 1024  # bytes
MAX_SEGMENT = 255  # bytes, the limit of file systems
MAX_DEPTH = 32
MAX_EXTENSION = 16 << 10  # bytes of a header that only describes another
BLOCK = 512
CHUNK = 1 << 20
FILES, FOLDERS = b"0\0", b"5"
LONG_NAME, PAX, PAX_FOR_ALL = b"L", b"x", b"g"


class Member(NamedTuple):
    """One file or folder of an archive; ``path`` has no empty part, no ``.`` and no ``..``."""

    path: tuple[str, ...]
    folder: bool
    size: int
    executable: bool


def unpack(
    source: bytes | Path,
    folder: Path,
    *,
    max_bytes: int = MAX_BYTES,
    max_members: int = MAX_MEMBERS,
    max_ratio: int = MAX_RATIO,
) -> None:
    """Unpack a tar archive, plain or in gzip, into ``folder``, which must not exist and is gone when this raises.

    Of a member's mode only the owner's right to execute is kept; nobody but the owner can read what is written.

    :param max_bytes: that the archive may expand to, headers included.
    :param max_members: files and folders, also those that are only named as part of a path.
    :param max_ratio: of the expanded to the packed size, for what expands to more than ``SMALL``.
    :raises IntegrityError: for a link, a device, a sparse file, a name that is given twice, is too long or leaves the
        folder, for more than the limits, and for an archive that is not whole.
    :raises OSError: when the source cannot be read or the folder not be written.
    """
    folder.mkdir(parents=True, mode=0o700)
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as packed:
            tree = _Tree(folder, max_members)
            reader = _Reader(packed, max_bytes, max_ratio)
            for member in _members(reader):
                tree.add(member, reader)
            reader.finish()
    except BaseException as error:
        shutil.rmtree(folder)
        if isinstance(error, EOFError | zlib.error | gzip.BadGzipFile):
            raise _broken(str(error)) from error
        raise


class _Reader:
    """What an archive expands to, refused beyond its limit: headers count too."""

    def __init__(self, packed: IO[bytes], max_bytes: int, max_ratio: int) -> None:
        size = packed.seek(0, os.SEEK_END)
        packed.seek(0)
        magic = packed.read(2)
        packed.seek(0)
        self._file = gzip.GzipFile(fileobj=packed, mode="rb") if magic == b"\x1f\x8b" else packed
        self._left = self._limit = min(max_bytes, max(SMALL, size * max_ratio))

    def exactly(self, size: int) -> bytes:
        """The next ``size`` bytes, which are few."""
        return b"".join(self.chunks(size))

    def chunks(self, size: int) -> Iterator[bytes]:
        """The next ``size`` bytes in parts; nothing is read when they are more than the limit leaves."""
        if size > self._left:
            raise self._too_large()
        while size:
            chunk = self._file.read(min(size, CHUNK))
            if not chunk:
                raise _broken("it ends too early")
            size -= len(chunk)
            self._left -= len(chunk)
            yield chunk

    def finish(self) -> None:
        """Read what pads the archive to its end, where gzip keeps its checksum."""
        while chunk := self._file.read(CHUNK):
            self._left -= len(chunk)
            if self._left < 0:
                raise self._too_large()
            if chunk.strip(b"\0"):
                raise _broken("something follows its end")

    def _too_large(self) -> IntegrityError:
        return IntegrityError(
            f"The archive expands to more than {self._limit} bytes, the most that is unpacked of one of its size.",
            "Pack less.",
        )


class _Tree:
    """What was written so far. No link is ever made and the folder is ours alone, so that a path means one place."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._folders: dict[tuple[str, ...], bool] = {(): False}  # and whether the archive has a member for it
        self._files: set[tuple[str, ...]] = set()

    def add(self, member: Member, reader: _Reader) -> None:
        """Write one member and the folders that it lies in."""
        path, named = member.path, "/".join(member.path) or "."
        if path in self._files or self._folders.get(path, False) or (path in self._folders and not member.folder):
            raise IntegrityError(f"The archive gives the name {named!r} twice.")
        for depth in range(1, len(path) + member.folder):
            self._make(path[:depth], named)
        if member.folder:
            self._folders[path] = True
        else:
            self._count(named)
            self._files.add(path)
            self._write(self._folder.joinpath(*path), member, reader)

    def _make(self, path: tuple[str, ...], named: str) -> None:
        if path in self._folders:
            return
        if path in self._files:
            raise IntegrityError(f"The archive has {named!r} below a file.")
        self._count(named)
        self._folders[path] = False
        try:
            self._folder.joinpath(*path).mkdir(mode=0o700)
        except FileExistsError as error:
            raise _same(named) from error

    def _write(self, path: Path, member: Member, reader: _Reader) -> None:
        mode = 0o700 if member.executable else 0o600
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        except FileExistsError as error:
            raise _same("/".join(member.path)) from error
        with os.fdopen(handle, "wb") as file:
            file.writelines(reader.chunks(member.size))

    def _count(self, named: str) -> None:
        self._limit -= 1
        if self._limit < 0:
            raise IntegrityError(f"The archive holds too many files and folders: {named!r} is one more than allowed.")


def _members(reader: _Reader) -> Iterator[Member]:
    """Every member in its order; the caller reads a file's content before it asks for the next."""
    while (header := reader.exactly(BLOCK)).strip(b"\0"):
        described: dict[bytes, bytes] = {}
        while (kind := _kind(header)) in (LONG_NAME, PAX, PAX_FOR_ALL):
            text = _extension(header, reader)
            if kind == PAX_FOR_ALL:
                _refuse_overruling(_pax(text))
            elif described:
                raise _broken("it describes a member twice")
            else:
                described = {b"path": text.rstrip(b"\0")} if kind == LONG_NAME else _pax(text)
            header = reader.exactly(BLOCK)
        member = _member(header, described)
        yield member
        reader.exactly(-member.size % BLOCK)


def _kind(header: bytes) -> bytes:
    """The type of a header whose checksum is right."""
    unsigned = sum(header[:148]) + 8 * 0x20 + sum(header[156:])
    if _octal(header[148:156]) != unsigned:
        raise _broken("a header is damaged")
    return header[156:157]


def _member(header: bytes, described: dict[bytes, bytes]) -> Member:
    kind = _kind(header)
    name = described.get(b"path", _name(header))
    path = _path(name)
    if kind not in FILES + FOLDERS:
        raise IntegrityError(f"The archive holds {_shown(name)}, a link, a device or another thing that is no file.")
    size = _decimal(described[b"size"]) if b"size" in described else _octal(header[124:136])
    folder = kind in FOLDERS or name.endswith(b"/")
    if folder and size:
        raise IntegrityError(f"The archive holds {_shown(name)}, a folder with content.")
    if not folder and not path:
        raise IntegrityError(f"The archive holds {_shown(name)}, a file without a name.")
    return Member(path, folder, size, bool(_octal(header[100:108]) & 0o100))


def _name(header: bytes) -> bytes:
    name = header[:100].partition(b"\0")[0]
    # Only ustar has the rest of a long name there; GNU tar, whose magic differs, keeps times.
    prefix = header[345:500].partition(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _path(name: bytes) -> tuple[str, ...]:
    try:
        text = name.decode()
    except UnicodeDecodeError:
        raise IntegrityError(f"The archive holds {_shown(name)}, a name that is no UTF-8.") from None
    parts = tuple(part for part in text.split("/") if part not in ("", "."))
    if not text or text.startswith("/") or ".." in parts or "\\" in text or "\0" in text:
        raise IntegrityError(f"The archive holds {_shown(name)}, which leaves its folder.")
    too_long = len(name) > MAX_NAME or len(parts) > MAX_DEPTH or any(len(part.encode()) > MAX_SEGMENT for part in parts)
    if too_long:
        raise IntegrityError(f"The archive holds {_shown(name)}, a name that is too long or too deep.")
    return parts


def _extension(header: bytes, reader: _Reader) -> bytes:
    size = _octal(header[124:136])
    if size > MAX_EXTENSION:
        raise IntegrityError(f"The archive describes a member by {size} bytes, more than {MAX_EXTENSION}.")
    text = reader.exactly(size)
    reader.exactly(-size % BLOCK)
    return text


def _pax(text: bytes) -> dict[bytes, bytes]:
    """The records ``LENGTH KEY=VALUE\\n`` of a pax header, each key once."""
    records: dict[bytes, bytes] = {}
    while text:
        digits, _, _ = text[:8].partition(b" ")
        length = _decimal(digits)
        key, equals, value = text[len(digits) + 1 : length].partition(b"=")
        if not equals or not value.endswith(b"\n") or length > len(text) or key in records:
            raise _broken("a pax header is damaged")
        if key.startswith(b"GNU.sparse"):
            raise IntegrityError("The archive holds a sparse file.", "Pack it without holes.")
        records[key] = value[:-1]
        text = text[length:]
    return records


def _refuse_overruling(records: dict[bytes, bytes]) -> None:
    if records.keys() & {b"path", b"size"}:
        raise IntegrityError("The archive gives one name or one size to all of its members.")


def _octal(field: bytes) -> int:
    """A number of a header, in octal digits; those too large for them are larger than anything unpacked here."""
    digits = field.lstrip(b" ").rstrip(b" \0") or b"0"
    if digits.translate(None, b"01234567"):
        raise _broken("a number in a header is damaged")
    return int(digits, 8)


def _decimal(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > 20:
        raise _broken("a number in a pax header is damaged")
    return int(digits)


def _broken(reason: str) -> IntegrityError:
    return IntegrityError(f"This is no whole tar archive, plain or in gzip: {reason}.", "Pack it again.")


def _same(named: str) -> IntegrityError:
    return IntegrityError(f"The archive holds {named!r} and another name that is the same on this file system.")


def _shown(name: bytes) -> str:
    return repr(name[:80].decode(errors="backslashreplace"))
