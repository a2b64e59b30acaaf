from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from trivet.core.canonical import digest
from trivet.core.errors import ConfigError, NotFound
from trivet.core.platform import Platform


def test_put_gives_the_digest_and_get_the_bytes(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"from a file")
    assert platform.store.put("put/bytes", b"as bytes") == digest(b"as bytes")
    assert platform.store.put("put/file", tmp_path / "file") == digest(b"from a file")
    assert platform.store.get("put/bytes") == b"as bytes"
    assert platform.store.get("put/file") == b"from a file"


def test_put_again_changes_nothing_and_other_bytes_replace(platform: Platform) -> None:
    assert platform.store.put("again/key", b"one") == platform.store.put("again/key", b"one")
    assert platform.store.get("again/key") == b"one"
    platform.store.put("again/key", b"two")
    assert platform.store.get("again/key") == b"two"


def test_create_takes_a_key_that_is_free_and_no_other(platform: Platform) -> None:
    assert platform.store.create("create/key", b"one")
    assert not platform.store.create("create/key", b"two")
    assert not platform.store.create("create/key", b"one")
    assert platform.store.get("create/key") == b"one"
    platform.store.delete("create/key")
    assert platform.store.create("create/key", b"two")
    assert platform.store.get("create/key") == b"two"


def test_of_those_who_create_one_key_at_once_one_is_told_that_it_did(platform: Platform) -> None:
    together = Barrier(16)

    def create(number: int, turn: int) -> bool:
        together.wait()
        return platform.store.create(f"race/{turn}", b"%d" % number)

    with ThreadPoolExecutor(16) as pool:
        for turn in range(10):
            told = list(pool.map(create, range(16), [turn] * 16))
            assert platform.store.get(f"race/{turn}") == b"%d" % told.index(True)
            assert told.count(True) == 1


def test_list_is_sorted_and_by_prefix_not_by_folder(platform: Platform) -> None:
    for key in ("list/b/1", "list/a", "list/bc", "list/bcd", "list/bd", "list/\u00e9t\u00e9", "other/b"):
        platform.store.put(key, b"")
    assert list(platform.store.list("list/")) == [
        *("list/a", "list/b/1", "list/bc", "list/bcd", "list/bd", "list/\u00e9t\u00e9")
    ]
    assert list(platform.store.list("list/b")) == ["list/b/1", "list/bc", "list/bcd", "list/bd"]
    assert list(platform.store.list("list/bc")) == ["list/bc", "list/bcd"]
    assert list(platform.store.list("list/\u00e9t")) == ["list/\u00e9t\u00e9"]
    assert list(platform.store.list("list/nothing")) == []
    assert "other/b" in platform.store.list("")


def test_delete_is_idempotent_and_what_is_deleted_is_not_found(platform: Platform) -> None:
    platform.store.put("delete/key", b"here")
    platform.store.delete("delete/key")
    platform.store.delete("delete/key")
    with pytest.raises(NotFound, match="delete/key"):
        platform.store.get("delete/key")
    with pytest.raises(NotFound, match="delete/key"):
        next(platform.store.stream("delete/key"))


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\\b", "a\0b", "a\nb", "a#1", "a" * 241]
)
def test_a_bad_key_is_refused_by_every_verb(platform: Platform, key: str) -> None:
    with pytest.raises(ConfigError):
        platform.store.put(key, b"")
    with pytest.raises(ConfigError):
        platform.store.create(key, b"")
    with pytest.raises(ConfigError):
        platform.store.get(key)
    with pytest.raises(ConfigError):
        next(platform.store.stream(key))
    with pytest.raises(ConfigError):
        platform.store.delete(key)


def test_a_large_file_arrives_whole(platform: Platform, tmp_path: Path) -> None:
    data = bytes(range(256)) * (80 << 10)  # 20 MiB: more than one part of a multipart upload
    (tmp_path / "large").write_bytes(data)
    assert platform.store.put("large", tmp_path / "large") == digest(data)
    assert platform.store.get("large") == data
    chunks = list(platform.store.stream("large"))
    assert b"".join(chunks) == data
    assert 1 <= min(map(len, chunks)) <= max(map(len, chunks)) <= 4 << 20
    platform.store.put("empty", b"")
    assert list(platform.store.stream("empty")) == []
