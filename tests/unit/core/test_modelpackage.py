"""A package is read only as its manifest describes it, whatever is done to the folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivet.core import signing
from trivet.core.errors import IntegrityError
from trivet.core.modelpackage import MANIFEST, SIGNATURE, FeatureProfile, Package, make_manifest, seal


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


def test_a_longer_file_is_refused(folder: Path) -> None:
    with (folder / "model.onnx").open("ab") as file:
        file.write(b"more")
    with pytest.raises(IntegrityError):
        Package(folder).read("model.onnx")


@pytest.mark.parametrize("spoil", ["extra", "missing", "symlink", "hardlink", "fifo", "no manifest"])
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
