"""One model package is found where a platform put it, or fetched, or its absence is explained."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from trivet.core.errors import ConfigError, IntegrityError
from trivet.core.modelpackage import MAX_FILE, MAX_FILES, MODEL, SERVING, Package, seal
from trivet.serving.config import ModelConfig
from trivet.serving.engine import Engine
from trivet.serving.folders import OwnFolder
from trivet.serving.locate import MAX_LOOKED_AT, located

from .cloudstores import Clouds

CLOUDS = ("s3", "gs", "az")


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def packed(folder: Path, into: Path, top: str = ".") -> Path:
    """An archive of a package, as ``tar`` makes it."""
    into.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(into, "w:gz") as archive:
        archive.add(folder, top)
    return into


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where a platform puts things."""
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


@pytest.fixture
def find(tmp_path: Path, place: Path) -> Iterator[Callable[..., ModelConfig]]:
    """``located`` in that place."""

    (tmp_path / "scratch").mkdir()
    scratch = OwnFolder("packages-", tmp_path / "scratch")

    def run(location: str | None = None, **environ: str) -> ModelConfig:
        return located(str(place) if location is None else location, scratch, environ)

    yield run
    scratch.remove()
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize(
    ("below", "name", "version"),
    [(".", "loan", "1"), ("package", "loan", "1"), ("credit/7", "credit", "7"), ("bad name/7", "loan", "1")],
)
def test_a_package_is_found_up_to_two_folders_below(made, place, find, tmp_path, below, name, version):
    shutil.copytree(made.folder, place / below, dirs_exist_ok=True)
    assert find() == ModelConfig(name=name, version=version, package=place / below)
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize("below", ["", "artifacts"])
def test_azures_folders_give_name_and_version_also_from_above(made, find, tmp_path, below):
    root = tmp_path / "azureml-models" / "credit" / "7"
    shutil.copytree(made.folder, root / below)
    for location in (root, root / below):
        assert find(str(location)) == ModelConfig(name="credit", version="7", package=root / below)


def test_the_environment_says_name_and_version_first(made, place, find):
    shutil.copytree(made.folder, place / "credit" / "7")
    assert find(TRIVET_MODEL_NAME="loans").name == "loans"
    assert find(TRIVET_MODEL_VERSION="8").version == "8"
    assert find(TRIVET_MODEL_NAME="", AIP_MODEL_NAME="123", AIP_VERSION_NAME="456").name == "credit"


@pytest.mark.parametrize("name", ["model.tar.gz", "package.tar.gz"])
@pytest.mark.parametrize("top", [".", "package", "credit/7"])
def test_an_archive_is_unpacked_for_its_owner_only(made, place, find, tmp_path, name, top):
    packed(made.folder, place / name, top)
    model = find()
    assert (model.name, model.version) == (("credit", "7") if top == "credit/7" else ("loan", "1"))
    assert model.package.is_relative_to(tmp_path / "scratch")
    assert contents(model.package) == contents(made.folder)
    [own] = (tmp_path / "scratch").iterdir()
    assert own.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o77 == 0 for path in model.package.rglob("*"))
    assert Engine.open(model.package, made.public_key).digest == made.digest


def two_packages(made: Any, place: Path) -> str:
    for name in "ab":
        shutil.copytree(made.folder, place / name)
    return "holds 2 model packages: a, b"


def a_package_and_an_archive(made: Any, place: Path) -> str:
    shutil.copytree(made.folder, place / "a")
    packed(made.folder, place / "model.tar.gz")
    return "holds 2 model packages: a, model.tar.gz"


def two_archives(made: Any, place: Path) -> str:
    packed(made.folder, place / "package.tar.gz")
    packed(made.folder, place / "model.tar.gz")
    return "holds 2 model packages: model.tar.gz, package.tar.gz"


def nothing(made: Any, place: Path) -> str:
    return "holds no model package"


def something_else(made: Any, place: Path) -> str:
    (place / "model.pkl").write_bytes(b"\x80")
    return "holds no model package"


def too_deep(made: Any, place: Path) -> str:
    shutil.copytree(made.folder, place / "a" / "b" / "c")
    return "holds no model package"


def hidden(made: Any, place: Path) -> str:
    shutil.copytree(made.folder, place / ".cache" / "a")
    return "holds no model package"


def linked(made: Any, place: Path) -> str:
    (place / "a").symlink_to(made.folder)
    (place / "model.tar.gz").symlink_to(packed(made.folder, place.parent / "elsewhere.tar.gz"))
    return "holds no model package"


def very_many(made: Any, place: Path) -> str:
    for number in range(MAX_LOOKED_AT + 1):
        (place / str(number)).touch()
    return "too much to look for"


def an_empty_archive(made: Any, place: Path) -> str:
    (place / "empty").mkdir()
    packed(place / "empty", place / "model.tar.gz")
    return "holds no model package"


def an_archive_of_an_archive(made: Any, place: Path) -> str:
    inner = packed(made.folder, place.parent / "inner" / "model.tar.gz")
    packed(inner.parent, place / "model.tar.gz")
    return "holds no model package"


PUT = [
    two_packages,
    a_package_and_an_archive,
    two_archives,
    nothing,
    something_else,
    too_deep,
    hidden,
    linked,
    very_many,
    an_empty_archive,
    an_archive_of_an_archive,
]


@pytest.mark.parametrize("put", PUT)
def test_anything_but_one_package_is_explained(made, place, find, tmp_path, put):
    with pytest.raises(ConfigError, match=put(made, place)) as caught:
        find()
    assert caught.value.next_step
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("", "names no place"),
        ("/nowhere/at/all", "no folder /nowhere/at/all"),
        ("/etc/hostname", "no folder /etc/hostname"),
        ("http://127.0.0.1/model", "no place to fetch"),
        ("https://example.com/model", "no place to fetch"),
        ("https://blob.core.windows.net.example.com/model", "no place to fetch"),
        ("ftp://bucket/model", "no place to fetch"),
        ("file:///etc", "no place to fetch"),
        ("memory:///", "no place to fetch"),
        ("s3://bucket/model?versionId=1", "no place to fetch"),
        ("s3://key:secret@bucket/model", "no place to fetch"),
        ("https://account.blob.core.windows.net/container/model?sig=secret", "no place to fetch"),
    ],
)
def test_a_place_that_is_none_is_refused_without_repeating_a_secret(find, location, message):
    with pytest.raises(ConfigError, match=message) as caught:
        find(location)
    assert "secret" not in str(caught.value)
    assert caught.value.next_step


@pytest.mark.parametrize("variable", ["TRIVET_MODEL_NAME", "TRIVET_MODEL_VERSION"])
@pytest.mark.parametrize("value", ["a/b", "../a", " ", "-", "ä", "a" * 200])
def test_a_name_that_no_route_can_have_is_refused(made, find, variable, value):
    with pytest.raises(ConfigError, match=f"Set {variable} to letters"):
        find(str(made.folder), **{variable: value})


def test_a_package_that_names_itself_so_asks_for_another_name(made, place, find):
    shutil.copytree(made.folder, place / "a")
    (place / "a" / SERVING).write_bytes(made.serving.model_copy(update={"name": "the loan/1"}).canonical())
    seal(place / "a")
    with pytest.raises(ConfigError, match="Set TRIVET_MODEL_NAME"):
        find()
    assert find(TRIVET_MODEL_NAME="loan").name == "loan"


def test_what_is_no_whole_package_is_refused_where_it_lies(made, place, find):
    shutil.copytree(made.folder, place / "a")
    (place / "a" / "more.py").touch()
    with pytest.raises(IntegrityError, match=r"more\.py"):
        find()


def changed(folder: Path) -> None:
    data = bytearray((folder / MODEL).read_bytes())
    data[-1] ^= 1
    (folder / MODEL).write_bytes(data)


def missing(folder: Path) -> None:
    (folder / MODEL).unlink()


def without_a_name(folder: Path) -> None:
    (folder / SERVING).write_bytes(b"{}")
    seal(folder)


@pytest.mark.parametrize("spoil", [changed, missing, without_a_name])
def test_an_archive_of_a_spoiled_package_leaves_nothing(made, place, find, tmp_path, spoil):
    spoil(folder := Path(shutil.copytree(made.folder, tmp_path / "spoiled")))
    packed(folder, place / "model.tar.gz")
    with pytest.raises(IntegrityError):
        find()
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_hostile_archive_leaves_nothing_and_writes_nowhere_else(place, find, tmp_path):
    with tarfile.open(place / "model.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("good"), io.BytesIO())
        archive.addfile(tarfile.TarInfo("../../../evil"), io.BytesIO())
    with pytest.raises(IntegrityError, match="leaves its folder"):
        find()
    assert list((tmp_path / "scratch").iterdir()) == []
    assert not list(tmp_path.rglob("evil"))


@pytest.fixture(scope="module")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clouds]:
    """The storage services."""
    clouds = Clouds(tmp_path_factory.mktemp("clouds"))
    yield clouds
    for pipe in (clouds.process.stdin, clouds.process.stdout):
        assert pipe is not None
        pipe.close()
    assert clouds.process.wait(30) == 0


def test_nothing_but_the_loopback_can_be_reached_from_there(clouds):
    assert clouds.network == {"outside": "Network is unreachable", "inside": "reached"}


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("below", ["", "package/", "credit/7/"])
@pytest.mark.parametrize("path", ["/a/model", "/a/model/"])
def test_a_package_is_fetched_whole_for_its_owner_only(clouds, made, cloud, below, path):
    marks = dict.fromkeys(["", below, "data/"] if below else [""], b"")  # what consoles leave of a folder
    files = {below + name: data for name, data in contents(made.folder).items()}
    answer = clouds.ask(cloud, {name: data for name, data in (marks | files).items() if name != "data/"}, path)
    assert answer["error"] == "", answer
    model = ModelConfig.model_validate(answer["model"])
    assert (model.name, model.version) == (("credit", "7") if below == "credit/7/" else ("loan", "1"))
    assert contents(model.package) == contents(made.folder)
    own = next(path for path in model.package.parents if path.parent.parent == clouds.folder)
    assert own.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in own.rglob("*") if path.is_file())
    assert Engine.open(model.package, made.public_key).digest == made.digest


@pytest.mark.parametrize("cloud", CLOUDS)
def test_an_archive_is_fetched_and_unpacked(clouds, made, tmp_path, cloud):
    archive = packed(made.folder, tmp_path / "it.tar.gz").read_bytes()
    answer = clouds.ask(cloud, {"model.tar.gz": archive}, TRIVET_MODEL_NAME="loans", TRIVET_MODEL_VERSION="3")
    assert (answer["model"]["name"], answer["model"]["version"]) == ("loans", "3")
    assert Package(Path(answer["model"]["package"])).digest == made.digest


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_file_larger_than_one_request_arrives_whole(clouds, made, tmp_path, cloud):
    folder = Path(shutil.copytree(made.folder, tmp_path / "large"))
    (folder / "weights").write_bytes(os.urandom(1 << 20) * 17)
    digest = seal(folder)
    answer = clouds.ask(cloud, contents(folder))
    assert Package(Path(answer["model"]["package"])).digest == digest


@pytest.mark.parametrize("cloud", CLOUDS)
def test_nothing_there_is_explained(clouds, made, cloud):
    answer = clouds.ask(cloud, {"elsewhere": b""}, "/a/mod")
    assert (answer["error"], answer["left"]) == ("ConfigError", [])
    assert "holds nothing. Deploy the model with its package" in answer["message"]
    answer = clouds.ask(cloud, {"elsewhere": b"1"})
    assert (answer["error"], answer["left"]) == ("ConfigError", [])
    assert "holds no model package" in answer["message"]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_bucket_that_does_not_exist_is_a_failure_of_the_platform(clouds, made, cloud):
    answer = clouds.ask(cloud, {}, "x/a")
    assert (answer["error"], answer["left"]) == ("PlatformError", [])
    assert "identity may list and read it" in answer["message"]
    assert "prefix=" not in answer["message"]


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("spoil", [changed, missing])
def test_a_spoiled_package_is_fetched_in_vain(clouds, made, tmp_path, cloud, spoil):
    spoil(folder := Path(shutil.copytree(made.folder, tmp_path / "spoiled")))
    answer = clouds.ask(cloud, contents(folder))
    assert (answer["error"], answer["left"]) == ("IntegrityError", [])


NAMES = ["../evil", "b/../../evil", "b//c", "./b", "b\\c", "b|c", "b" * 250, "/".join("b" * 600)]


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_name_that_is_no_path_below_is_refused_before_anything_is_fetched(clouds, cloud, name):
    answer = clouds.ask(cloud, {"a": b"1", name: b"2"})
    assert answer["error"] in ("IntegrityError", "ConfigError"), answer
    assert (answer["gets"], answer["left"]) == ([], [])
    assert not list(clouds.folder.rglob("evil"))


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_name_of_a_file_and_a_folder_is_refused(clouds, cloud):
    answer = clouds.ask(cloud, {"b": b"1", "b/c": b"2"})
    assert (answer["error"], answer["gets"], answer["left"]) == ("IntegrityError", [], [])
    assert "one name to two files" in answer["message"]


@pytest.mark.parametrize("cloud", ["gs", "az"])
@pytest.mark.parametrize(
    "sizes",
    [{"b": MAX_FILE + 1}, {"a": MAX_FILE, "b": MAX_FILE}, {str(number): None for number in range(MAX_FILES + 1)}],
    ids=["one", "all", "many"],
)
def test_what_is_larger_than_a_package_may_be_is_not_fetched(clouds, cloud, sizes):
    answer = clouds.ask(cloud, dict.fromkeys(sizes, b"1"), sizes=sizes)
    assert (answer["error"], answer["gets"], answer["left"]) == ("IntegrityError", [], [])
    assert "more than a model package may" in answer["message"]


@pytest.mark.parametrize("cloud", ["gs", "az"])
@pytest.mark.parametrize("size", [9, 1 << 25])
def test_what_changed_after_it_was_listed_is_refused(clouds, made, cloud, size):
    answer = clouds.ask(cloud, contents(made.folder), sizes={MODEL: size})
    assert answer["error"] in ("IntegrityError", "PlatformError"), answer
    assert answer["left"] == []
