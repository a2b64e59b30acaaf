"""Cloud Storage's XML API: by obstore, and by plain requests where obstore does not ask for it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree

import obstore
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from obstore.exceptions import AlreadyExistsError, NotModifiedError, PreconditionError
from obstore.store import GCSStore

from .conftest import BUCKET, Project


@pytest.fixture
def store(gcp: Project) -> GCSStore:
    return GCSStore(BUCKET)


def code(body: bytes) -> str:
    found = ElementTree.fromstring(body).findtext("Code")
    assert found is not None, body
    return found


def test_obstore_puts_gets_lists_copies_and_deletes(store: GCSStore, gcp: Project):
    put = obstore.put(store, "a/é b.txt", b"0123456789", attributes={"Content-Type": "text/plain", "owner": "ada"})
    assert put["version"] and gcp.get("a/é b.txt") == b"0123456789"
    got = obstore.get(store, "a/é b.txt")
    assert got.attributes["Content-Type"] == "text/plain" and got.attributes["owner"] == "ada"
    assert (got.meta["size"], got.meta["e_tag"], got.meta["version"]) == (10, put["e_tag"], put["version"])
    assert obstore.head(store, "a/é b.txt")["size"] == 10
    assert bytes(obstore.get_range(store, "a/é b.txt", start=2, end=5)) == b"234"
    assert [bytes(one) for one in obstore.get_ranges(store, "a/é b.txt", starts=[0, 8], ends=[1, 10])] == [b"0", b"89"]
    obstore.copy(store, "a/é b.txt", "b")
    with pytest.raises(AlreadyExistsError):
        obstore.copy(store, "a/é b.txt", "b", overwrite=False)
    obstore.rename(store, "b", "c/d")
    found = obstore.list_with_delimiter(store)
    assert (found["common_prefixes"], found["objects"]) == (["a", "c"], [])
    obstore.delete(store, "c/d")
    with pytest.raises(FileNotFoundError):
        obstore.get(store, "c/d")


PART = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="/"), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(PART.filter(lambda part: part not in (".", "..")), min_size=1, max_size=4), data=st.binary())
def test_any_key_and_any_bytes_come_back(store: GCSStore, gcp: Project, parts: list[str], data: bytes):
    key = "/".join(parts)
    obstore.put(store, key, data)
    assert bytes(obstore.get(store, key).bytes()) == data and gcp.get(key) == data
    assert [item["path"] for page in obstore.list(store) for item in page] == [key]
    obstore.delete(store, key)
    assert gcp.names() == []


def test_a_long_list_comes_in_pages(store: GCSStore):
    for number in range(1005):
        obstore.put(store, f"many/{number:04}", b"")
    found = [item["path"] for page in obstore.list(store, "many", chunk_size=500) for item in page]
    assert found == [f"many/{number:04}" for number in range(1005)]
    later = [item["path"] for page in obstore.list(store, "many", offset="many/1000") for item in page]
    assert later == [f"many/{number:04}" for number in range(1001, 1005)]


def test_of_many_creators_one_wins_and_a_stale_writer_loses(store: GCSStore):
    def create(number: int) -> bool:
        try:
            obstore.put(store, "raced", str(number).encode(), mode="create", use_multipart=False)
        except AlreadyExistsError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(create, range(32)))
    assert won.count(True) == 1
    first = obstore.head(store, "raced")
    version = {"e_tag": str(first["e_tag"]), "version": str(first["version"])}
    obstore.put(store, "raced", b"next", mode=version)
    with pytest.raises(PreconditionError):
        obstore.put(store, "raced", b"stale", mode=version)
    with pytest.raises(NotModifiedError):
        obstore.get(store, "raced", options={"if_none_match": str(obstore.head(store, "raced")["e_tag"])})
    with pytest.raises(PreconditionError):
        obstore.get(store, "raced", options={"if_match": version["e_tag"]})


def test_a_large_file_comes_in_parts_and_whole(store: GCSStore, gcp: Project):
    data = bytes(range(256)) * (200 << 12)  # 200 MiB
    obstore.put(store, "huge", data)
    assert gcp.bucket.get_blob("huge").md5_hash is None  # it was put together
    assert bytes(obstore.get(store, "huge").bytes()) == data
    assert "multipart.complete" in {call["operation"] for call in gcp.fake.calls()}


def initiate(gcp: Project, name: str = "parts", headers: dict[str, str] | None = None) -> str:
    _, _, body = gcp.send("POST", f"/{BUCKET}/{name}?uploads", headers=headers)
    upload = ElementTree.fromstring(body).findtext("UploadId")
    assert upload
    return upload


def completing(parts: list[tuple[int, str]]) -> bytes:
    inner = "".join(f"<Part><PartNumber>{at}</PartNumber><ETag>{tag}</ETag></Part>" for at, tag in parts)
    return f"<CompleteMultipartUpload>{inner}</CompleteMultipartUpload>".encode()


def test_parts_that_are_too_small_missing_or_out_of_order_are_refused(gcp: Project):
    upload = initiate(gcp)
    tags = {}
    for at in (1, 2):
        _, headers, _ = gcp.send("PUT", f"/{BUCKET}/parts?partNumber={at}&uploadId={upload}", b"small")
        tags[at] = headers["etag"]
    complete = f"/{BUCKET}/parts?uploadId={upload}"
    assert code(gcp.send("POST", complete, completing([(1, tags[1]), (2, tags[2])]))[2]) == "EntityTooSmall"
    assert code(gcp.send("POST", complete, completing([(2, tags[2]), (1, tags[1])]))[2]) == "InvalidPartOrder"
    assert code(gcp.send("POST", complete, completing([(3, tags[1])]))[2]) == "InvalidPart"
    assert code(gcp.send("POST", complete, completing([(1, '"other"')]))[2]) == "InvalidPart"
    assert code(gcp.send("POST", complete, b"no xml")[2]) == "MalformedCompleteMultipartUploadRequest"
    assert gcp.send("PUT", f"/{BUCKET}/parts?partNumber=0&uploadId={upload}", b"x")[0] == 400
    gcp.fake.switch("part-size", False)
    assert gcp.send("POST", complete, completing([(1, tags[1]), (2, tags[2])]))[0] == 200
    assert gcp.get("parts") == b"smallsmall"
    aborted = initiate(gcp)
    assert gcp.send("DELETE", f"/{BUCKET}/parts?uploadId={aborted}")[0] == 204
    assert code(gcp.send("DELETE", f"/{BUCKET}/parts?uploadId={aborted}")[2]) == "NoSuchUpload"


def test_a_resumable_upload_of_this_api(gcp: Project):
    begin = {"x-goog-resumable": "start", "Content-Type": "text/plain", "x-goog-meta-owner": "ada"}
    status, headers, _ = gcp.send("POST", f"/{BUCKET}/resumed", headers=begin)
    assert status == 201
    session = headers["location"].removeprefix(gcp.fake.endpoint)
    chunk = b"y" * (256 << 10)
    assert gcp.send("PUT", session, chunk, {"Content-Range": f"bytes 0-{len(chunk) - 1}/*"})[0] == 308
    end = {"Content-Range": f"bytes {len(chunk)}-{len(chunk)}/{len(chunk) + 1}"}
    assert gcp.send("PUT", session, b"z", end)[0] == 200
    found = gcp.bucket.get_blob("resumed")
    assert (found.size, found.content_type, found.metadata) == (len(chunk) + 1, "text/plain", {"owner": "ada"})


def test_both_apis_refuse_in_their_own_way(gcp: Project):
    status, _, body = gcp.send("GET", "/no-such-bucket/key")
    assert (status, code(body)) == (404, "NoSuchBucket")
    status, _, body = gcp.send("GET", "/storage/v1/b/no-such-bucket/o/key")
    assert status == 404 and json.loads(body)["error"]["errors"][0]["reason"] == "notFound"
    status, _, body = gcp.send("POST", f"/{BUCKET}/key", b"x")
    assert (status, code(body)) == (501, "UNIMPLEMENTED")
