"""An archive is refused and leaves nothing, or what it holds lies inside the folder, plain and whole."""

from __future__ import annotations

import gzip
import io
import os
import stat
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.core import archive as limits
from trivet.core.archive import unpack
from trivet.core.errors import IntegrityError


def archive(*members: tuple[tarfile.TarInfo, bytes], layout: int = tarfile.PAX_FORMAT, kind: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=kind, format=layout) as tar:  # type: ignore[call-overload]
        for member, data in members:
            member.size = len(data) if member.isreg() else 0
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode = kind, link, mode
    return made


def raw(*blocks: bytes) -> bytes:
    """Headers and contents as they are, padded and ended as an archive is."""
    return b"".join(block + bytes(-len(block) % 512) for block in blocks) + bytes(1024)


def header(name: str, size: int = 0, kind: bytes = b"0", **fields: object) -> bytes:
    """A header of any content with a right checksum."""
    made = member(name, kind)
    made.size = size
    for field, value in fields.items():
        setattr(made, field, value)
    return made.tobuf(tarfile.GNU_FORMAT)


def pax(*records: tuple[str, str], kind: bytes = b"x") -> tuple[bytes, bytes]:
    """A pax header and its records."""
    text = b""
    for key, value in records:
        body = f" {key}={value}\n".encode()
        length = next(n for n in range(len(body), len(body) + 9) if len(str(n)) + len(body) == n)
        text += str(length).encode() + body
    return header("pax", len(text), kind), text


def refused(data: bytes, folder: Path, match: str = "archive", **caps: int) -> None:
    """Hold that it is refused, and that nothing is left."""
    before = sorted(folder.iterdir())
    with pytest.raises(IntegrityError, match=match):
        unpack(data, folder / "to", **caps)
    assert sorted(folder.iterdir()) == before


def content(folder: Path) -> dict[str, bytes | None]:
    """Every file by its path, None for a folder; anything else fails."""
    found: dict[str, bytes | None] = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        assert stat.S_ISDIR(status.st_mode) or (stat.S_ISREG(status.st_mode) and status.st_nlink == 1)
        found[path.relative_to(folder).as_posix()] = path.read_bytes() if path.is_file() else None
    return found


@pytest.mark.parametrize("layout", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("kind", ["w:gz", "w"])
def test_files_arrive_with_their_right_to_execute_and_nothing_more(tmp_path: Path, layout: int, kind: str) -> None:
    long = "/".join(["a" * 90] * 2)
    members = (
        (member("bin", tarfile.DIRTYPE, mode=0o2777), b""),
        (member("./bin/run", mode=0o4777), b"#!"),
        (member("deep//er/text", mode=0o666), b"words"),
        (member(long), bytes(513)),
        (member("bin/nothing"), b""),
    )
    unpack(archive(*members, layout=layout, kind=kind), tmp_path / "to")
    modes = {path.name: path.stat().st_mode & 0o7777 for path in (tmp_path / "to").rglob("*")}
    assert (modes["run"], modes["text"], modes["bin"], modes["er"]) == (0o700, 0o600, 0o700, 0o700)
    assert {name: data for name, data in content(tmp_path / "to").items() if data is not None} == {
        "bin/run": b"#!",
        "bin/nothing": b"",
        "deep/er/text": b"words",
        long: bytes(513),
    }


@pytest.mark.parametrize("flags", [[], ["--format=ustar"], ["--format=posix"], ["--format=v7"]])
def test_what_gnu_tar_packs_arrives(tmp_path: Path, flags: list[str]) -> None:
    package = tmp_path / "from"
    (package / ("d" * 40) / ("e" * 40)).mkdir(parents=True)
    (package / "a").write_bytes(os.urandom(70_000))
    (package / ("d" * 40) / ("e" * 40) / "f").write_bytes(b"f")
    (package / "empty").mkdir()
    subprocess.run(["tar", *flags, "-czf", tmp_path / "it.tar.gz", "-C", package, "."], check=True)
    unpack(tmp_path / "it.tar.gz", tmp_path / "to")
    assert content(tmp_path / "to") == content(package)


BAD = [
    member("/"),
    member("link", tarfile.SYMTYPE, "/etc/passwd"),
    member("link", tarfile.LNKTYPE, "good"),
    member("pipe", tarfile.FIFOTYPE),
    member("device", tarfile.CHRTYPE),
    member("device", tarfile.BLKTYPE),
    member("contiguous", tarfile.CONTTYPE),
    member("sparse", tarfile.GNUTYPE_SPARSE),
    member("unknown", b"Z"),
    member("good"),
    member("./good"),
    member(".//good"),
    member("good", tarfile.DIRTYPE),
    member("good/below"),
    member("twice", tarfile.DIRTYPE),
    member("twice/.", tarfile.DIRTYPE),
    member("twice"),
    member("."),
    member("", tarfile.REGTYPE),
    member("x" * 256),
    member("/".join("x" * 40)),
    member("/".join(["x" * 200] * 6)),
    member("\udcff"),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: f"{bad.name[:30]!a}-{bad.type.decode()}")
def test_anything_but_plain_files_inside_is_refused(tmp_path: Path, bad: tarfile.TarInfo) -> None:
    good = [(member("good"), b"1"), (member("twice", tarfile.DIRTYPE), b"")]
    unpack(archive(*good), tmp_path / "good")
    refused(archive(*good, (bad, b""), layout=tarfile.GNU_FORMAT), tmp_path)


@pytest.mark.parametrize("name", ["/absolute", "../outside", "a/../../outside", "a/..", "a\\b"])
def test_what_leaves_the_folder_is_refused_for_that(tmp_path: Path, name: str) -> None:
    refused(archive((member(name), b"")), tmp_path, "leaves its folder")


def test_a_file_below_a_file_is_refused_for_that(tmp_path: Path) -> None:
    refused(archive((member("a"), b""), (member("a/b"), b"")), tmp_path, "below a file")


def test_a_link_is_not_followed_by_what_comes_after_it(tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    refused(archive((member("d", tarfile.SYMTYPE, str(tmp_path / "victim")), b""), (member("d/file"), b"!")), tmp_path)
    assert list((tmp_path / "victim").iterdir()) == []


@pytest.mark.parametrize(
    "records",
    [
        [("path", "../outside")],
        [("path", "")],
        [("path", "a\0b")],
        [("size", "-1")],
        [("size", "9" * 30)],
        [("size", "1e3")],
        [("size", str(1 << 40))],
        [("path", "a"), ("path", "b")],
        [("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.realsize", str(1 << 40))],
        [("GNU.sparse.map", f"0,1,{1 << 40},0")],
    ],
)
def test_a_pax_header_cannot_say_what_a_plain_one_may_not(tmp_path: Path, records: list[tuple[str, str]]) -> None:
    refused(raw(*pax(*records), header("it", 1), b"1"), tmp_path)
    unpack(raw(*pax(("mtime", "1.5")), header("it", 1), b"1"), tmp_path / "good")


@pytest.mark.parametrize("key", ["path", "size"])
def test_no_header_rules_all_members(tmp_path: Path, key: str) -> None:
    refused(raw(*pax((key, "1"), kind=b"g"), header("it", 1), b"1"), tmp_path, "all of its members")
    unpack(raw(*pax(("comment", "a commit"), kind=b"g"), header("it", 1), b"1"), tmp_path / "good")


@pytest.mark.parametrize("size", [10 << 20, 1 << 33])
def test_a_sparse_file_is_refused_before_it_grows(tmp_path: Path, size: int) -> None:
    """GNU tar's own way to say "a hole of a terabyte" in a few bytes."""
    (tmp_path / "from").mkdir()
    with (tmp_path / "from" / "holes").open("wb") as file:
        file.truncate(size)
    for flags in (["--format=gnu"], ["--format=posix"]):
        subprocess.run(["tar", *flags, "-Sczf", tmp_path / "it.tgz", "-C", tmp_path / "from", "."], check=True)
        refused((tmp_path / "it.tgz").read_bytes(), tmp_path)


def test_limits_hold(tmp_path: Path) -> None:
    three = archive(*((member(str(n)), b"") for n in range(3)))
    unpack(three, tmp_path / "three", max_members=3)
    refused(three, tmp_path, "too many", max_members=2)
    refused(archive((member("a/b/c/d"), b"")), tmp_path, "too many", max_members=3)
    refused(archive((member("large"), os.urandom(2 << 20))), tmp_path, "expands", max_bytes=1 << 20)


def test_what_expands_beyond_its_ratio_is_a_bomb(tmp_path: Path) -> None:
    zeros = bytes(limits.SMALL + 1)
    bomb = archive((member("zeros"), zeros))
    assert len(zeros) / len(bomb) > limits.MAX_RATIO
    refused(bomb, tmp_path, "expands")
    unpack(bomb, tmp_path / "loose", max_ratio=10_000)
    unpack(archive((member("zeros"), zeros), kind="w"), tmp_path / "plain")
    refused(gzip.compress(archive((member("a"), b"1"), kind="w") + zeros), tmp_path, "expands")


@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K", b"X"])
def test_a_header_that_describes_another_is_refused_unread_when_it_is_large(tmp_path: Path, kind: bytes) -> None:
    """It would be held in memory whole, and searched through."""
    size = limits.MAX_EXTENSION + 1
    refused(raw(header("x", size, kind), bytes(size), header("it")), tmp_path, "describes a member|is no file")


@pytest.mark.parametrize("first", [b"x", b"L"])
@pytest.mark.parametrize("second", [b"x", b"L"])
def test_a_member_is_described_once(tmp_path: Path, first: bytes, second: bytes) -> None:
    """Readers differ in whom they believe."""
    refused(raw(*pax(("path", "a"), kind=first), *pax(("path", "b"), kind=second), header("it")), tmp_path, "twice")


def test_a_folder_has_no_content_that_could_hide_headers(tmp_path: Path) -> None:
    refused(raw(header("d", 512, b"5"), header("hidden")), tmp_path, "folder with content")
    refused(raw(header("d/", 512), header("hidden")), tmp_path, "folder with content")


def test_something_after_the_end_is_refused(tmp_path: Path) -> None:
    one, two = (archive((member(name), b"1"), kind="w") for name in "ab")
    refused(one + two, tmp_path, "follows its end")
    refused(gzip.compress(one) + gzip.compress(two), tmp_path, "follows its end")
    refused(gzip.compress(one) + b"garbage", tmp_path)


@pytest.mark.parametrize(
    "harm",
    [
        lambda data: data[:-4],
        lambda data: data[:-20],
        lambda data: data[: len(data) // 2],
        lambda _: b"",
        lambda _: b"no archive",
        lambda _: b"\x1f\x8b",
        lambda data: gzip.decompress(data)[:-10_000],
        lambda data: gzip.decompress(data)[:512],
        lambda data: gzip.decompress(data)[:700],
        lambda data: gzip.decompress(data).replace(b"ustar", b"mstar", 1),
        lambda data: gzip.decompress(data)[: 512 * 11] + b"\xff" * 512 + gzip.decompress(data)[512 * 12 :],
    ],
)
def test_a_broken_archive_is_refused(tmp_path: Path, harm: Callable[[bytes], bytes]) -> None:
    refused(harm(archive((member("a"), os.urandom(5000)), (member("b"), b"1"))), tmp_path)


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "mine").write_text("mine")
    with pytest.raises(FileExistsError):
        unpack(archive((member("a"), b"1")), tmp_path / "to")
    assert content(tmp_path / "to") == {"mine": b"mine"}


def test_a_full_disk_leaves_nothing_either(tmp_path: Path) -> None:
    (tmp_path / "it.tar").write_bytes(archive((member("a"), os.urandom(100_000)), kind="w"))
    code = (
        "import resource, signal, sys; from pathlib import Path; from trivet.core.archive import unpack\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "unpack(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "it.tar", tmp_path / "to"], capture_output=True, text=True, check=False
    )
    assert "File too large" in run.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["it.tar"]


def test_a_large_file_is_not_held_in_memory(tmp_path: Path) -> None:
    size = 200 << 20
    (tmp_path / "it.tar").write_bytes(raw(header("it", size))[:512])
    with (tmp_path / "it.tar").open("r+b") as file:
        file.truncate(512 + size + 1024)
    unpack(tmp_path / "it.tar", tmp_path / "to")
    assert (tmp_path / "to" / "it").stat().st_size == size
    code = (
        "import sys; from pathlib import Path; from trivet.core.archive import unpack\n"
        "unpack(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    run = [sys.executable, "-c", code, tmp_path / "it.tar", tmp_path / "again"]
    assert int(subprocess.run(run, check=True, capture_output=True).stdout) < size >> 11


PARTS = st.sampled_from(["a", "b", "A", "ü", ".", "..", "", "x" * 99, "x" * 256, "a\\b"])
NAMES = st.lists(PARTS, min_size=1, max_size=5).map("/".join)
KINDS = st.sampled_from([tarfile.REGTYPE] * 6 + [tarfile.DIRTYPE] * 3 + [b"1", b"2", b"3", b"4", b"6", b"7", b"S"])


def normal(name: str) -> str:
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def allowed(members: list[tuple[str, bytes, bytes]]) -> dict[str, bytes | None] | None:
    """What such an archive should leave, or None when it must be refused: the promise in other words."""
    files: dict[str, bytes] = {}
    folders: set[str] = set()
    named: set[str] = set()
    for name, kind, data in members:
        path = normal(name)
        bad = not name or name.startswith("/") or ".." in name.split("/") or "\\" in name or "x" * 256 in name
        is_folder = kind == tarfile.DIRTYPE or name.endswith("/")
        if bad or kind not in (tarfile.REGTYPE, tarfile.DIRTYPE) or path in named or (not is_folder and not path):
            return None
        if is_folder and kind != tarfile.DIRTYPE and data:
            return None
        named.add(path)
        above = ["/".join(path.split("/")[:depth]) for depth in range(1, len(path.split("/")))]
        folders.update(above)
        if is_folder:
            folders.add(path)
        else:
            files[path] = data
    if folders & files.keys():
        return None
    return {**dict.fromkeys(folders - {""}), **files}


@settings(deadline=None, max_examples=300)
@given(
    members=st.lists(st.tuples(NAMES, KINDS, st.binary(max_size=1200)), max_size=5),
    layout=st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    kind=st.sampled_from(["w", "w:gz"]),
)
def test_what_arrives_is_exactly_what_may_or_nothing(
    members: list[tuple[str, bytes, bytes]], layout: int, kind: str
) -> None:
    data = archive(*((member(name, of), data) for name, of, data in members), layout=layout, kind=kind)
    with tempfile.TemporaryDirectory() as folder:
        expected = allowed(members)
        if expected is None:
            refused(data, Path(folder))
        else:
            unpack(data, Path(folder) / "to")
            assert content(Path(folder) / "to") == expected


SEED = gzip.decompress(
    archive((member("a/b"), b"12345"), (member("é" * 60), b"6"), (member("c" * 120), b"7"), (member("d", b"5"), b""))
)


def harmed(edits: list[tuple[int, int]], *, honest: bool) -> bytes:
    """A good archive with bytes changed; where it is honest, with checksums that are right all the same."""
    data = bytearray(SEED)
    for place, byte in edits:
        data[place] = byte
    for at in range(0, len(data) if honest else 0, 512):
        if data[at + 257 : at + 262] == b"ustar":
            total = sum(data[at : at + 148]) + 256 + sum(data[at + 156 : at + 512])
            data[at + 148 : at + 156] = b"%06o\0 " % total
    return bytes(data)


EDIT = st.tuples(st.integers(0, len(SEED) - 1), st.sampled_from(b"\0/.\\ 01257LKxgS=\n\xff") | st.integers(0, 255))


@settings(deadline=None, max_examples=600)
@given(edits=st.lists(EDIT, min_size=1, max_size=8), honest=st.integers(0, 3))
def test_no_bytes_escape_the_folder_or_the_error_tree(edits: list[tuple[int, int]], honest: int) -> None:
    data = harmed(edits, honest=honest > 0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            unpack(data, folder / "to", max_bytes=1 << 20, max_members=20)
        except IntegrityError:
            assert list(folder.iterdir()) == []
            return
        assert [path.name for path in folder.iterdir()] == ["to"]
        held = content(folder / "to")
        assert len(held) <= 20
        assert sum(map(len, filter(None, held.values()))) <= 1 << 20
        # Another reader, which stops where an owner or a time is damaged, sees nothing else.
        with suppress(tarfile.TarError), tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            for one in tar:
                if one.isreg() and not one.name.endswith("/"):
                    assert (kept := tar.extractfile(one)) is not None
                    assert held[normal(one.name)] == kept.read()
