from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trivet.core.errors import IntegrityError
from trivet.platforms.archive import unpack


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for member, data in members:
            member.size = len(data) if member.isreg() else 0
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode = kind, link, mode
    return made


def test_files_arrive_with_their_right_to_execute_and_nothing_more(tmp_path: Path) -> None:
    unpack(
        archive(
            (member("bin", tarfile.DIRTYPE), b""),
            (member("bin/run", mode=0o4777), b"#!"),
            (member("deep/er/text", mode=0o666), b"words"),
        ),
        tmp_path / "to",
    )
    assert (tmp_path / "to/bin/run").stat().st_mode & 0o7777 == 0o700
    assert (tmp_path / "to/deep/er/text").stat().st_mode & 0o7777 == 0o600
    assert (tmp_path / "to/deep/er/text").read_bytes() == b"words"


@pytest.mark.parametrize(
    "bad",
    [
        member("/absolute"),
        member("../outside"),
        member("a/../../outside"),
        member("a\\b"),
        member("link", tarfile.SYMTYPE, "/etc/passwd"),
        member("link", tarfile.LNKTYPE, "good"),
        member("pipe", tarfile.FIFOTYPE),
        member("device", tarfile.CHRTYPE),
        member("good"),
        member("good/below"),
    ],
    ids=lambda bad: f"{bad.name}-{bad.type.decode()}",
)
def test_anything_but_plain_files_inside_is_refused(tmp_path: Path, bad: tarfile.TarInfo) -> None:
    with pytest.raises(IntegrityError):
        unpack(archive((member("good"), b"1"), (bad, b"")), tmp_path / "to")
    assert not (tmp_path / "outside").exists()


def test_a_link_is_not_followed_by_what_comes_after_it(tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    bad = archive((member("d", tarfile.SYMTYPE, str(tmp_path / "victim")), b""), (member("d/file"), b"!"))
    with pytest.raises(IntegrityError):
        unpack(bad, tmp_path / "to")
    assert list((tmp_path / "victim").iterdir()) == []


def test_limits_hold(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="more than 2 files"):
        unpack(archive(*((member(str(n)), b"") for n in range(3))), tmp_path / "many", max_members=2)
    with pytest.raises(IntegrityError, match="expands"):
        unpack(archive((member("zeros"), bytes(10 << 20))), tmp_path / "large", max_bytes=1 << 20)
    assert sum(path.stat().st_size for path in (tmp_path / "large").iterdir()) <= 1 << 20


def test_a_bomb_in_a_header_is_refused_unread(tmp_path: Path) -> None:
    """A header of its own format may claim any length, and would be read whole."""
    header = member("x", tarfile.XHDTYPE)
    header.size = 1 << 40
    bomb = gzip.compress(header.tobuf() + bytes(4 << 20))
    with pytest.raises(IntegrityError):
        unpack(bomb, tmp_path / "to", max_bytes=1 << 20)


@pytest.mark.parametrize(
    "harm", [lambda data: data[:-20], lambda data: data[: len(data) // 2], lambda _: b"", lambda _: b"no archive"]
)
def test_a_broken_archive_is_refused(tmp_path: Path, harm: Callable[[bytes], bytes]) -> None:
    with pytest.raises(IntegrityError):
        unpack(harm(archive((member("a"), os.urandom(5000)))), tmp_path / "to")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(data=st.data())
def test_no_bytes_escape_the_folder_or_the_error_tree(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    good = bytearray(gzip.decompress(archive((member("a/b"), b"12345"), (member("c", tarfile.SYMTYPE, "a"), b""))))
    for place in data.draw(st.lists(st.integers(0, len(good) - 1), max_size=8)):
        good[place] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.mktemp("fuzz")
    with suppress(IntegrityError):
        unpack(gzip.compress(bytes(good)), folder / "to", max_bytes=1 << 20)
    assert [path.name for path in folder.iterdir()] == ["to"]
    assert not any(path.is_symlink() for path in folder.rglob("*"))
