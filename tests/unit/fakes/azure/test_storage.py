"""Blob Storage by Microsoft's own client and by obstore: what is put is there, whole, in parts and in lists."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import obstore
import pytest
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.storage.blob import BlobBlock, BlobServiceClient, ContentSettings
from obstore.exceptions import AlreadyExistsError, PreconditionError
from obstore.store import ObjectStore, from_url

from .conftest import CONTAINER, Subscription

LARGE = bytes(range(256)) * (48 << 10)  # 12 MiB: obstore's and the SDK's own blocks


def store(azure: Subscription, prefix: str = "") -> ObjectStore:
    return from_url(f"{azure.url}/{CONTAINER}/{prefix}", retry_config={"max_retries": 0})


def test_a_blob_comes_back_as_it_was_put(azure: Subscription):
    settings = ContentSettings(content_type="text/plain", cache_control="no-store", content_encoding="x")
    azure.container.upload_blob("a/b", b"hello", metadata={"Owner": "me"}, content_settings=settings)
    blob = azure.container.get_blob_client("a/b")
    found = blob.get_blob_properties()
    assert blob.download_blob().readall() == b"hello" and blob.download_blob(1, 3).readall() == b"ell"
    assert (found.size, found.metadata, found.blob_type) == (5, {"Owner": "me"}, "BlockBlob")
    assert found.content_settings.content_type == "text/plain" and found.content_settings.cache_control == "no-store"
    assert found.content_settings.content_md5 == hashlib.md5(b"hello").digest()
    with pytest.raises(ResourceExistsError):
        azure.container.upload_blob("a/b", b"other")
    azure.container.upload_blob("a/b", b"other", overwrite=True)
    assert blob.download_blob().readall() == b"other"
    blob.delete_blob()
    assert not blob.exists()
    with pytest.raises(ResourceNotFoundError):
        blob.download_blob()


def test_a_large_blob_is_put_in_blocks_by_both_clients(azure: Subscription):
    client = BlobServiceClient(
        azure.url, credential=azure.credential, max_single_put_size=1 << 20, max_block_size=1 << 20
    )
    client.get_blob_client(CONTAINER, "one").upload_blob(LARGE)
    obstore.put(store(azure), "two", LARGE, chunk_size=5 << 20)
    assert azure.container.download_blob("one").readall() == LARGE
    assert bytes(obstore.get(store(azure), "two").bytes()) == LARGE
    called = [call["operation"] for call in azure.fake.calls()]
    assert called.count("PutBlock") == 12 + 3 and called.count("PutBlockList") == 2 and "PutBlob" not in called


def test_blocks_are_nothing_until_they_are_committed(azure: Subscription):
    blob = azure.container.get_blob_client("staged")
    for number, data in enumerate((b"one", b"two", b"three")):
        blob.stage_block(f"{number:03d}", data)
    assert not blob.exists() and [one.size for one in blob.get_block_list("all")[1]] == [3, 3, 5]
    blob.commit_block_list([BlobBlock("002"), BlobBlock("000")])
    assert blob.download_blob().readall() == b"threeone"
    committed, waiting = blob.get_block_list("all")
    assert [one.size for one in committed] == [5, 3] and waiting == []


def test_lists_come_in_pages_by_prefix_and_delimiter(azure: Subscription):
    for name in ("a/1", "a/2", "a/b/3", "c", "d&<e"):
        azure.container.upload_blob(name, name.encode(), metadata={"of": name[:1]})
    assert azure.names() == ["a/1", "a/2", "a/b/3", "c", "d&<e"] and azure.names("a/") == ["a/1", "a/2", "a/b/3"]
    pages = azure.container.list_blobs(results_per_page=2, include=["metadata"]).by_page()
    assert [[(one.name, one.metadata["of"]) for one in page] for page in pages] == [
        [("a/1", "a"), ("a/2", "a")],
        [("a/b/3", "a"), ("c", "c")],
        [("d&<e", "d")],
    ]
    assert {one.name for one in azure.container.walk_blobs("a/", delimiter="/")} == {"a/1", "a/2", "a/b/"}
    found = obstore.list_with_delimiter(store(azure))
    assert list(found["common_prefixes"]) == ["a"] and [one["path"] for one in found["objects"]] == ["c", "d&<e"]
    assert [one.name for one in azure.blobs.list_containers()] >= [CONTAINER]


def test_obstore_does_all_that_a_store_needs(azure: Subscription):
    mine = store(azure, "mine")
    first = obstore.put(mine, "key", b"1", attributes={"Content-Type": "text/plain", "owner": "me"})
    with pytest.raises(AlreadyExistsError):
        obstore.put(mine, "key", b"2", mode="create")
    second = obstore.put(mine, "key", b"2", mode={"e_tag": first["e_tag"]})
    with pytest.raises(PreconditionError):
        obstore.put(mine, "key", b"3", mode={"e_tag": first["e_tag"]})
    assert bytes(obstore.get_range(mine, "key", start=0, end=1)) == b"2"
    assert obstore.head(mine, "key")["e_tag"].strip('"') == second["e_tag"].strip('"')
    obstore.copy(mine, "key", "copy")
    with pytest.raises(AlreadyExistsError):
        obstore.copy(mine, "key", "copy", overwrite=False)
    obstore.rename(mine, "copy", "moved")
    assert azure.names() == ["mine/key", "mine/moved"]
    obstore.delete(mine, ["key", "moved"])
    assert azure.names() == []
    with pytest.raises(FileNotFoundError):
        obstore.get(mine, "key")


def test_of_many_who_make_a_blob_one_wins(azure: Subscription):
    mine = store(azure)

    def make(number: int) -> bool:
        try:
            obstore.put(mine, "lock", str(number).encode(), mode="create")
        except AlreadyExistsError:
            return False
        return True

    with ThreadPoolExecutor(32) as pool:
        assert sum(pool.map(make, range(32))) == 1


def test_many_are_deleted_at_once_and_each_is_answered(azure: Subscription):
    for name in ("a", "b c", "d/é"):
        azure.container.upload_blob(name, b"")
    answers = list(azure.container.delete_blobs("a", "b c", "d/é", "none", raise_on_any_failure=False))
    assert [one.status_code for one in answers] == [202, 202, 202, 404] and azure.names() == []
    for number in range(300):
        obstore.put(store(azure), f"many/{number}", b"")
    obstore.delete(store(azure), [f"many/{number}" for number in range(300)])
    assert azure.names() == []


def test_metadata_and_properties_are_set_apart(azure: Subscription):
    blob = azure.container.upload_blob("a", b"1", metadata={"x": "1"})
    before = blob.get_blob_properties()
    blob.set_blob_metadata({"y": "2"})
    blob.set_http_headers(ContentSettings(content_type="text/csv"))
    after = blob.get_blob_properties()
    assert after.metadata == {"y": "2"} and after.content_settings.content_type == "text/csv"
    assert after.etag != before.etag and after.creation_time == before.creation_time


def test_a_copy_is_the_same_blob_elsewhere(azure: Subscription):
    azure.container.upload_blob("a b", b"1", metadata={"x": "1"})
    copy = azure.container.get_blob_client("copy")
    done = copy.start_copy_from_url(f"{azure.url}/{CONTAINER}/a%20b")
    assert done["copy_status"] == "success" and copy.download_blob().readall() == b"1"
    assert copy.get_blob_properties().metadata == {"x": "1"}
    with pytest.raises(ResourceModifiedError):
        copy.start_copy_from_url(
            f"{azure.url}/{CONTAINER}/a%20b", source_if_unmodified_since=None, etag="0x1", match_condition=_match()
        )


def test_a_secret_and_a_federated_token_are_let_in_too(azure: Subscription, tmp_path, monkeypatch: pytest.MonkeyPatch):
    azure.container.upload_blob("a", b"1")
    secret = ClientSecretCredential(azure.fake.tenant, "app", "secret")
    client = BlobServiceClient(azure.url, credential=secret)
    assert client.get_blob_client(CONTAINER, "a").download_blob().readall() == b"1"
    (tmp_path / "token").write_text("from-github")
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(tmp_path / "token"))
    azure.fake.forget_calls()
    assert bytes(obstore.get(store(azure), "a").bytes()) == b"1"
    assert [call["service"] for call in azure.fake.calls()] == ["login", "blob"]


def _match():
    from azure.core import MatchConditions

    return MatchConditions.IfNotModified
