"""Cloud Storage's JSON API, by google-cloud-storage: its usual verbs, and what is answered where one goes wrong."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from google.api_core import exceptions
from google.cloud.storage import Blob
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import BUCKET, Project

MANY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAMES = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=60).filter(
    lambda name: name not in (".", "..") and not name.startswith(".well-known/")
)


def test_buckets_are_made_shown_changed_listed_and_deleted(gcp: Project):
    made = gcp.storage.create_bucket("second-bucket", location="EU")
    assert (made.location, made.location_type, made.storage_class) == ("EU", "multi-region", "STANDARD")
    made.labels = {"team": "loans"}
    made.versioning_enabled = True
    made.patch()
    again = gcp.storage.get_bucket("second-bucket")
    assert again.labels == {"team": "loans"} and again.versioning_enabled and again.metageneration == 2
    assert [one.name for one in gcp.storage.list_buckets()] == ["second-bucket", BUCKET]
    again.delete()
    assert gcp.storage.lookup_bucket("second-bucket") is None
    with pytest.raises(exceptions.NotFound, match="The specified bucket does not exist"):
        gcp.storage.get_bucket("second-bucket")
    with pytest.raises(exceptions.Conflict, match="already own it"):
        gcp.storage.create_bucket(BUCKET)


def test_an_object_is_written_read_described_and_deleted(gcp: Project):
    blob = gcp.bucket.blob("folder/über.txt")
    blob.metadata = {"digest": "sha256:1"}
    blob.cache_control = "no-store"
    blob.upload_from_string("text", content_type="text/plain")
    found = gcp.bucket.get_blob("folder/über.txt")
    assert (found.size, found.content_type, found.metadata, found.cache_control) == (
        *(4, "text/plain", {"digest": "sha256:1"}, "no-store"),
    )
    assert found.crc32c == blob.crc32c and found.md5_hash and found.generation == blob.generation
    assert found.download_as_bytes() == b"text" and found.download_as_bytes(start=1, end=2) == b"ex"
    found.metadata = {"digest": None, "other": "yes"}
    found.patch()
    assert gcp.bucket.get_blob("folder/über.txt").metadata == {"other": "yes"}
    assert found.metageneration == 2 and found.generation == blob.generation
    found.delete()
    assert not found.exists() and gcp.bucket.get_blob("folder/über.txt") is None
    with pytest.raises(exceptions.NotFound, match="No such object: store-1/folder"):
        found.delete()


def test_lists_have_folders_and_pages(gcp: Project):
    for name in ("a/1", "a/2", "a/b/3", "c", "d/4", "é"):
        gcp.put(name, b"")
    listing = gcp.storage.list_blobs(BUCKET, delimiter="/", page_size=2)
    pages = [([one.name for one in page], sorted(page.prefixes)) for page in listing.pages]
    assert pages == [(["c"], ["a/"]), (["é"], ["d/"])]
    assert gcp.names("a/") == ["a/1", "a/2", "a/b/3"]
    inside = gcp.storage.list_blobs(BUCKET, prefix="a/", delimiter="/")
    assert ([one.name for one in inside], inside.prefixes) == (["a/1", "a/2"], {"a/b/"})
    between = gcp.storage.list_blobs(BUCKET, start_offset="a/2", end_offset="d")
    assert [one.name for one in between] == ["a/2", "a/b/3", "c"]


def test_objects_are_copied_rewritten_and_composed(gcp: Project):
    gcp.put("one", b"1")
    gcp.put("two", b"22")
    source = gcp.bucket.blob("one")
    copied = gcp.bucket.copy_blob(source, gcp.bucket, "copied")
    assert copied.download_as_bytes() == b"1" and copied.generation != source.generation
    target = gcp.bucket.blob("rewritten")
    assert target.rewrite(gcp.bucket.blob("two")) == (None, 2, 2)
    whole = gcp.bucket.blob("whole")
    whole.compose([source, target], if_generation_match=0)
    whole.reload()
    assert (whole.download_as_bytes(), whole.component_count, whole.md5_hash) == (b"122", 2, None)
    with pytest.raises(exceptions.PreconditionFailed):
        whole.compose([source], if_generation_match=0)
    gcp.bucket.rename_blob(whole, "renamed")
    assert gcp.names() == ["copied", "one", "renamed", "rewritten", "two"]


def test_a_resumable_upload_comes_in_chunks_and_ends_whole(gcp: Project):
    data = bytes(range(256)) * 4096 + b"rest"  # one MiB and a little
    blob = gcp.bucket.blob("large", chunk_size=256 << 10)
    blob.upload_from_file(io.BytesIO(data), content_type="a/b")  # of unknown size
    assert blob.download_as_bytes() == data and blob.content_type == "a/b"
    with gcp.bucket.blob("written").open("wb", chunk_size=256 << 10) as file:
        file.write(data)
    assert gcp.get("written") == data
    out = io.BytesIO()
    gcp.bucket.blob("written", chunk_size=512 << 10).download_to_file(out)
    assert out.getvalue() == data


def test_an_upload_that_was_cut_goes_on_where_it_stopped(gcp: Project):
    path = f"/upload/storage/v1/b/{BUCKET}/o?uploadType=resumable&name=cut&ifGenerationMatch=0"
    _, headers, _ = gcp.send("POST", path, b"{}", {"Content-Type": "application/json"})
    session = headers["location"].removeprefix(gcp.fake.endpoint)
    chunk = b"x" * (256 << 10)
    status, headers, _ = gcp.send("PUT", session, chunk, {"Content-Range": f"bytes 0-{len(chunk) - 1}/*"})
    assert (status, headers["range"]) == (308, f"bytes=0-{len(chunk) - 1}")
    assert gcp.send("PUT", session, b"", {"Content-Range": "bytes */*"})[1]["range"] == f"bytes=0-{len(chunk) - 1}"
    gap = gcp.send("PUT", session, b"late", {"Content-Range": f"bytes {len(chunk) + 1}-{len(chunk) + 4}/*"})
    assert gap[0] == 503
    end = {"Content-Range": f"bytes {len(chunk)}-{len(chunk) + 3}/{len(chunk) + 4}"}
    status, _, body = gcp.send("PUT", session, b"last", end)
    assert status == 200 and json.loads(body)["size"] == str(len(chunk) + 4)
    assert gcp.send("PUT", session, b"last", end)[0] == 200  # said again after a lost answer, it is the same
    assert gcp.get("cut") == chunk + b"last"
    _, headers, _ = gcp.send("POST", path, b"{}", {"Content-Type": "application/json"})
    session = headers["location"].removeprefix(gcp.fake.endpoint)
    assert gcp.send("PUT", session, b"other")[0] == 412  # the object is there by now
    assert gcp.send("DELETE", session)[0] == 499
    assert gcp.send("PUT", session, b"other")[0] == 404


def test_generations_are_matched_and_one_of_many_wins(gcp: Project):
    blob = gcp.bucket.blob("raced")

    def create(number: int) -> bool:
        try:
            gcp.bucket.blob("raced").upload_from_string(str(number), if_generation_match=0, retry=None)
        except exceptions.PreconditionFailed:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(create, range(32)))
    assert won.count(True) == 1 and gcp.get("raced") == str(won.index(True)).encode()
    blob.reload()
    seen = blob.generation
    blob.upload_from_string("next", if_generation_match=seen)
    for conditions in (
        {"if_generation_match": seen},
        {"if_generation_not_match": blob.generation},
        {"if_metageneration_match": 2},
    ):
        with pytest.raises(exceptions.PreconditionFailed, match="pre-conditions you specified did not hold"):
            blob.upload_from_string("lost", **conditions, retry=None)
        with pytest.raises(exceptions.PreconditionFailed):
            blob.delete(**conditions, retry=None)
    assert gcp.get("raced") == b"next"
    status, _, body = gcp.send("GET", f"/storage/v1/b/{BUCKET}/o/raced?ifGenerationNotMatch={blob.generation}")
    assert (status, body) == (304, b"")


def test_versions_are_kept_where_the_bucket_has_them(gcp: Project):
    bucket = gcp.storage.get_bucket(BUCKET)
    bucket.versioning_enabled = True
    bucket.patch()
    generations = []
    for text in ("one", "two"):
        blob = bucket.blob("kept")
        blob.upload_from_string(text)
        generations.append(blob.generation)
    bucket.blob("kept").delete()
    assert gcp.names() == []
    every = list(gcp.storage.list_blobs(BUCKET, versions=True))
    assert [one.generation for one in every] == generations and all(one.time_deleted for one in every)
    assert Blob("kept", bucket, generation=generations[0]).download_as_bytes() == b"one"
    with pytest.raises(exceptions.Conflict, match="not empty"):
        bucket.delete()
    for generation in generations:
        Blob("kept", bucket, generation=generation).delete()
    bucket.delete()


def test_a_large_object_arrives_whole(gcp: Project):
    data = bytes(range(256)) * (200 << 12)  # 200 MiB
    gcp.bucket.blob("huge").upload_from_string(data)
    found = gcp.bucket.get_blob("huge")
    assert found.size == len(data) and found.download_as_bytes() == data


@MANY
@given(name=NAMES, data=st.binary(max_size=200))
def test_any_name_and_any_bytes_come_back(gcp: Project, name: str, data: bytes):
    gcp.put(name, data)
    assert gcp.get(name) == data
    assert name in gcp.names() and gcp.names(name)[0] == name
    gcp.bucket.blob(name).delete()
    assert name not in gcp.names()


@MANY
@given(data=st.binary(min_size=1, max_size=40), first=st.integers(0, 50), last=st.integers(0, 50))
def test_a_range_is_what_it_says(gcp: Project, data: bytes, first: int, last: int):
    gcp.put("ranged", data)
    status, headers, body = gcp.send("GET", f"/{BUCKET}/ranged", headers={"Range": f"bytes={first}-{last}"})
    if last < first:
        assert (status, body) == (200, data)  # no range at all
    elif first >= len(data):
        assert status == 416
    else:
        end = min(last, len(data) - 1)
        assert (status, body) == (206, data[first : last + 1])
        assert headers["content-range"] == f"bytes {first}-{end}/{len(data)}"
    if last:
        assert gcp.send("GET", f"/{BUCKET}/ranged", headers={"Range": f"bytes=-{last}"})[2] == data[-last:]


def test_what_is_left_out_is_refused_in_one_sentence(gcp: Project):
    status, _, body = gcp.send("GET", f"/storage/v1/b/{BUCKET}/iam")
    assert status == 501 and "test that on a real project" in json.loads(body)["error"]["message"]
    with pytest.raises(exceptions.MethodNotImplemented, match="no batches"), gcp.storage.batch():
        gcp.bucket.blob("any").delete()
