"""A package is read only as its manifest describes it, whatever is done to the folder."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.core import modelpackage as limits
from trivet.core import signing
from trivet.core.canonical import digest_file
from trivet.core.errors import IntegrityError
from trivet.core.modelpackage import (
    MANIFEST,
    SIGNATURE,
    FeatureProfile,
    FileEntry,
    Manifest,
    Package,
    make_manifest,
    seal,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    package = tmp_path / "package"
    (package / "data").mkdir(parents=True)
    (package / "model.onnx").write_bytes(b"model")
    (package / "data" / "golden.json").write_text("{}")
    seal(package)
    return package


def test_a_sealed_package_opens_and_gives_its_bytes(folder: Path) -> None:
    package = Package(folder)
    package.verify()
    assert package.read("model.onnx") == b"model"
    assert package.digest.startswith("sha256:")
    assert "data/golden.json" in package
    assert MANIFEST not in package


def test_the_digest_depends_on_names_and_bytes_only(folder: Path, tmp_path: Path) -> None:
    twin = tmp_path / "twin"
    (twin / "data").mkdir(parents=True)
    (twin / "data" / "golden.json").write_text("{}")
    (twin / "model.onnx").write_bytes(b"model")
    os.utime(twin / "model.onnx", (1, 1))
    assert seal(twin) == Package(folder).digest
    (twin / "model.onnx").write_bytes(b"other")
    assert seal(twin) != Package(folder).digest


def test_a_changed_file_is_refused_when_read(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"lodem")
    package = Package(folder)
    with pytest.raises(IntegrityError, match="changed"):
        package.read("model.onnx")


@pytest.mark.parametrize("size", [0, 4, 6, 1 << 40])
def test_a_file_of_another_size_is_refused_unread(folder: Path, size: int) -> None:
    os.truncate(folder / "model.onnx", size)
    with pytest.raises(IntegrityError, match="changed"):
        Package(folder)


def replace_bytes(path: Path) -> None:
    path.unlink()
    path.write_bytes(b"lodem")


def shorten(path: Path) -> None:
    os.truncate(path, 3)


def lengthen(path: Path) -> None:
    os.truncate(path, 1 << 40)


def replace_by_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def link_hard(path: Path) -> None:
    os.link(path, path.with_name("elsewhere"))


def replace_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def replace_by_socket(path: Path) -> None:
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


SWAPS = [replace_bytes, shorten, lengthen, replace_by_link, link_hard, replace_by_pipe, replace_by_socket, Path.unlink]


@pytest.mark.parametrize("swap", SWAPS)
@pytest.mark.parametrize("use", [lambda package: package.read("model.onnx"), Package.verify])
def test_what_is_exchanged_after_opening_is_refused(
    folder: Path, swap: Callable[[Path], None], use: Callable[[Package], object]
) -> None:
    package = Package(folder)
    swap(folder / "model.onnx")
    with pytest.raises(IntegrityError):
        use(package)


@pytest.mark.parametrize("swap", [shorten, lengthen, Path.unlink])
@pytest.mark.parametrize("use", [lambda package: package.read("model.onnx"), Package.verify])
def test_what_is_exchanged_while_it_is_read_is_refused_or_harmless(
    folder: Path, swap: Callable[[Path], None], use: Callable[[Package], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The moment after the last look at the open file is the attacker's best: here they act in it."""
    package, look = Package(folder), os.fstat
    target = (folder / "model.onnx").stat().st_ino

    def looked(handle: int) -> os.stat_result:
        seen = look(handle)
        if seen.st_ino == target and (folder / "model.onnx").exists():
            swap(folder / "model.onnx")
        return seen

    monkeypatch.setattr(os, "fstat", looked)
    if swap == Path.unlink:  # whoever holds the file still reads the very bytes that are checked
        assert use(package) in (b"model", None)
    else:
        with pytest.raises(IntegrityError, match="changed"):
            use(package)
    assert not (folder / "model.onnx").exists() or (folder / "model.onnx").stat().st_size != 5


def test_a_large_package_is_verified_without_holding_a_file(tmp_path: Path) -> None:
    size = 200 << 20
    (tmp_path / "zeros").touch()
    os.truncate(tmp_path / "zeros", size)
    entry = FileEntry(path="zeros", size=size, digest=digest_file(tmp_path / "zeros"))
    (tmp_path / MANIFEST).write_bytes(Manifest(files=(entry,)).canonical())
    code = (
        "import sys; from pathlib import Path; from trivet.core.modelpackage import Package\n"
        "Package(Path(sys.argv[1])).verify()\n"
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    run = subprocess.run([sys.executable, "-c", code, tmp_path], check=True, capture_output=True)
    assert int(run.stdout) < size >> 11


def test_all_but_some_files_are_verified(folder: Path) -> None:
    package = Package(folder)
    replace_bytes(folder / "model.onnx")
    package.verify(but=("model.onnx",))
    with pytest.raises(IntegrityError):
        package.verify(but=("data/golden.json",))


@pytest.mark.parametrize("spoil", ["extra", "missing", "symlink", "hardlink", "fifo", "linked folder", "no manifest"])
def test_a_spoilt_folder_is_refused_when_opened(folder: Path, tmp_path: Path, spoil: str) -> None:
    match spoil:
        case "extra":
            (folder / "evil.py").write_text("")
        case "missing":
            (folder / "model.onnx").unlink()
        case "symlink":
            (folder / "model.onnx").rename(tmp_path / "elsewhere")
            (folder / "model.onnx").symlink_to(tmp_path / "elsewhere")
        case "hardlink":
            os.link(folder / "model.onnx", tmp_path / "second-name")
        case "fifo":
            os.mkfifo(folder / "pipe")
        case "linked folder":
            (folder / "data").rename(tmp_path / "data")
            (folder / "data").symlink_to(tmp_path / "data")
        case "no manifest":
            (folder / MANIFEST).unlink()
    with pytest.raises(IntegrityError):
        Package(folder)


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "data/../../outside", "a\\b"])
def test_a_manifest_that_leaves_the_folder_is_refused(folder: Path, name: str) -> None:
    manifest = make_manifest(folder)
    entry = manifest.files[0].model_copy(update={"path": name})
    (folder / MANIFEST).write_bytes(manifest.model_copy(update={"files": (entry, *manifest.files[1:])}).canonical())
    with pytest.raises(IntegrityError, match="leaves the package"):
        Package(folder)


HUGE = b" " * (limits.MAX_MANIFEST + 1)
ENTRY = {"path": "model.onnx", "size": 5, "digest": f"sha256:{0:064x}"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HUGE + b"{}", "larger than"),
        (b"[" * 100_000, "recursion"),
        (b'{"files":' * 10_000, "recursion"),
        (b'{"files":[' + b"1," * 100_000 + b"1]}", "files.0: "),
        (b"{%s}" % b",".join(b'"%d":1' % n for n in range(50_000)), "and more"),
        (json.dumps({"files": [ENTRY] * 5000}).encode(), "at most 4096 items"),
        (json.dumps({"files": [ENTRY, ENTRY]}).encode(), "twice"),
        (json.dumps({"files": [ENTRY | {"size": -1}]}).encode(), "size"),
        (json.dumps({"files": [ENTRY | {"size": limits.MAX_FILE + 1}]}).encode(), "size"),
        (json.dumps({"files": [ENTRY | {"path": f"{n}", "size": 3 << 30} for n in range(2)]}).encode(), "more than"),
        (b'{"version":2,"files":[]}', "version"),
        (b"", "not valid"),
        (b"\xff", "not valid"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_manifest_that_is_no_manifest_is_refused_in_one_sentence(folder: Path, text: bytes, message: str) -> None:
    (folder / MANIFEST).write_bytes(text)
    with pytest.raises(IntegrityError, match=message) as caught:
        Package(folder)
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize("swap", [replace_by_link, link_hard, replace_by_pipe, replace_by_socket])
@pytest.mark.parametrize("name", [MANIFEST, SIGNATURE])
def test_manifest_and_signature_are_plain_files_too(folder: Path, swap: Callable[[Path], None], name: str) -> None:
    (folder / SIGNATURE).write_bytes(b"signature")
    package = Package(folder)
    swap(folder / name)
    with pytest.raises(IntegrityError, match="link"):
        Package(folder) if name == MANIFEST else package.signature()
    with pytest.raises(IntegrityError):
        Package(folder)


def test_a_signature_that_is_none_is_not_read_whole(folder: Path) -> None:
    (folder / SIGNATURE).touch()
    os.truncate(folder / SIGNATURE, 1 << 40)
    with pytest.raises(IntegrityError, match="larger than a signature"):
        Package(folder).signature()


def test_a_folder_of_very_many_files_is_refused_before_they_are_all_looked_at(folder: Path) -> None:
    for number in range(limits.MAX_FILES):
        (folder / f"{number}").touch()
    with pytest.raises(IntegrityError, match="more than 4096 files"):
        Package(folder)
    with pytest.raises(IntegrityError, match="more than 4096 files"):
        seal(folder)


def test_only_the_stacks_key_signs(folder: Path) -> None:
    key, other = signing.new_key(), signing.new_key()
    package = Package(folder)
    with pytest.raises(IntegrityError, match="not signed"):
        signing.verify(package, signing.public_key(key))
    (folder / SIGNATURE).write_bytes(signing.sign(package.manifest, key))
    signing.verify(Package(folder), signing.public_key(key))
    assert Package(folder).digest == package.digest
    with pytest.raises(IntegrityError, match="was not made"):
        signing.verify(Package(folder), signing.public_key(other))


@given(
    edges=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=12, unique=True).map(sorted),
    value=st.floats(-1e7, 1e7) | st.just(float("nan")) | st.none(),
)
def test_every_number_falls_into_one_bin(edges: list[float], value: float | None) -> None:
    profile = FeatureProfile(name="x", edges=tuple(edges), counts=(0,) * (len(edges) + 1))
    place = profile.bin_of(value)
    if value is None or value != value:
        assert place == len(profile.counts)
    else:
        assert (place == 0 or edges[place - 1] <= value) and (place == len(edges) or value < edges[place])


@settings(max_examples=30)
@given(files=st.dictionaries(st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8})?", fullmatch=True), st.binary(), min_size=1))
def test_what_is_sealed_is_what_is_read(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    folder = tmp_path_factory.mktemp("sealed")
    written = {}
    for name, data in files.items():
        path = folder / name
        if any(parent.is_file() for parent in path.parents) or path.is_dir():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        written[name] = data
    seal(folder)
    package = Package(folder)
    assert {name: package.read(name) for name in written} == written
