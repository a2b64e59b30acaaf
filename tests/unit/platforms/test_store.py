from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trivet.core.canonical import digest
from trivet.core.errors import ConfigError, NotFound, PlatformError
from trivet.platforms.store import ObjectStore, check_key, get_folder, path_of, put_folder
from trivet.rehearsal.s3 import S3

SEGMENTS = st.text(st.characters(categories=("L", "M", "N", "P", "S", "Zs")), min_size=1, max_size=20)
KEYS = st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join)


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """The same class over two of obstore's back ends."""
    return ObjectStore((tmp_path / "the store").as_uri() if request.param == "file" else "memory:///")


def is_good(key: str) -> bool:
    try:
        check_key(key)
    except ConfigError:
        return False
    return True


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(keys=st.dictionaries(KEYS.filter(is_good), st.binary(max_size=50), min_size=1, max_size=4))
def test_what_is_put_is_listed_and_got_under_the_very_same_key(store: ObjectStore, keys: dict[str, bytes]) -> None:
    kept = {key: data for key, data in keys.items() if not any(other.startswith(f"{key}/") for other in keys)}
    for key, data in kept.items():
        assert store.put(key, data) == digest(data)
    assert list(store.list("")) == sorted(kept)
    for key, data in kept.items():
        assert store.get(key) == data
        for end in range(len(key)):
            if is_good(key[:end].rpartition("/")[0] or "a"):
                assert key in store.list(key[:end])
        store.delete(key)
    assert list(store.list("")) == []


@given(st.text(st.characters(codec=None)))
def test_no_key_leaves_the_store(key: str) -> None:
    root = Path("/somewhere/store")
    if is_good(key):
        assert os.path.normpath(root / key) == str(root / key)


@pytest.mark.parametrize("url", ["", "nothing", "file://host/path", "file:", "ftp://host/a", "s3:", "/plain/path"])
def test_a_url_that_names_no_store_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        ObjectStore(url)


@pytest.mark.parametrize(
    ("url", "path"),
    [("file:store", "store"), ("file:a%20b/c", "a b/c"), ("file:/abs", "/abs"), ("file:///abs/d", "/abs/d")],
)
def test_file_urls_are_relative_or_absolute(url: str, path: str) -> None:
    assert path_of(url) == Path(path)


def test_a_file_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path.as_uri())
    store.put("key", b"data")
    os.utime(tmp_path / "key", ns=(1, 1))
    store.put("key", b"data")
    assert (tmp_path / "key").stat().st_mtime_ns == 1
    store.put("key", b"dada")
    assert (tmp_path / "key").stat().st_mtime_ns != 1


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    """What is read is always one of the two, whole, while another writes."""
    store, both = ObjectStore(tmp_path.as_uri()), (b"a" * 3_000_000, b"b" * 3_000_000)
    store.put("key", both[0])
    with ThreadPoolExecutor(1) as pool:
        writing = pool.map(lambda turn: store.put("key", both[turn % 2]), range(20))
        for _ in range(20):
            assert store.get("key") in both
        assert len(list(writing)) == 20


def test_what_the_disk_refuses_is_told_with_its_cause(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path.as_uri())
    store.put("file", b"")
    with pytest.raises(PlatformError, match="file/below") as refusal:
        store.put("file/below", b"")
    assert refusal.value.__cause__ is not None


def write_tree(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def test_a_folder_travels_whole(store: ObjectStore, tmp_path: Path) -> None:
    files = {"a": "1", "deep/er/b": "2", "manifest.json": "3"}
    write_tree(tmp_path / "from", files)
    keys = put_folder(store, tmp_path / "from", "some/prefix", last="manifest.json")
    assert keys[-1] == "some/prefix/manifest.json"
    get_folder(store, "some/prefix", tmp_path / "to", last="manifest.json")
    found = {path.relative_to(tmp_path / "to").as_posix(): path.read_text() for path in (tmp_path / "to").rglob("*.*")}
    assert found == {"manifest.json": "3"}
    assert (tmp_path / "to/deep/er/b").read_text() == "2"


def test_a_folder_counts_only_when_its_last_file_is_there(store: ObjectStore, tmp_path: Path) -> None:
    write_tree(tmp_path / "from", {"a": "1"})
    put_folder(store, tmp_path / "from", "prefix")
    with pytest.raises(NotFound, match="prefix"):
        get_folder(store, "prefix", tmp_path / "to", last="manifest.json")
    with pytest.raises(NotFound):
        get_folder(store, "pre", tmp_path / "to")
    assert not (tmp_path / "to").exists()


def test_what_a_killed_fetch_left_is_swept_away(store: ObjectStore, tmp_path: Path) -> None:
    write_tree(tmp_path / ".to.part", {"left": "over"})
    store.put("prefix/a", b"1")
    get_folder(store, "prefix", tmp_path / "to")
    assert [path.name for path in (tmp_path / "to").iterdir()] == ["a"]


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("/etc/passwd"), os.mkfifo], ids=["link", "pipe"])
def test_a_folder_with_anything_but_files_is_refused(
    store: ObjectStore, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    write_tree(tmp_path / "from", {"a": "1"})
    make(tmp_path / "from" / "odd")
    with pytest.raises(ConfigError, match="odd"):
        put_folder(store, tmp_path / "from", "prefix")
    assert list(store.list("prefix")) == []


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    with S3() as s3:
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        yield s3


@pytest.fixture
def s3_store(s3: S3) -> ObjectStore:
    return ObjectStore(f"s3://{s3.make_bucket()}/folder")


def test_a_bucket_that_locks_what_is_put_takes_small_and_large(s3: S3, tmp_path: Path) -> None:
    locked = ObjectStore(f"s3://{s3.make_bucket(locked=True)}/folder")
    large = tmp_path / "large"
    large.write_bytes(os.urandom(12 << 20))  # in parts
    assert locked.create("one", b"1") and not locked.create("one", b"2")
    locked.put("two", b"2")
    locked.put("large", large)
    assert (locked.get("one"), locked.get("two"), locked.get("large")) == (b"1", b"2", large.read_bytes())


def test_of_those_who_create_one_object_of_s3_at_once_one_is_told_that_it_did(s3_store: ObjectStore) -> None:
    together = Barrier(16)

    def create(number: int, turn: int) -> bool:
        together.wait()
        return s3_store.create(f"race/{turn}", b"%d" % number)

    with ThreadPoolExecutor(16) as pool:
        for turn in range(5):
            told = list(pool.map(create, range(16), [turn] * 16))
            assert told.count(True) == 1
            assert s3_store.get(f"race/{turn}") == b"%d" % told.index(True)


def test_s3_lists_by_prefix_as_a_folder_does(s3_store: ObjectStore) -> None:
    keys = ["list/a", "list/b/1", "list/bc", "list/bcd", "list/bd", "list/été"]
    for key in keys:
        s3_store.put(key, b"")
    for prefix in ("", "list/", "list/b", "list/bc", "list/b/", "list/ét", "list/zz", "l"):
        assert list(s3_store.list(prefix)) == [key for key in keys if key.startswith(prefix)]
