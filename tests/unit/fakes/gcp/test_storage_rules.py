"""Each constraint of Cloud Storage refuses, and with its switch off it does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from google.api_core.exceptions import GoogleAPICallError

from .conftest import BUCKET, Project

PLAIN = f"/storage/v1/b/{BUCKET}"
UPLOAD = f"/upload/storage/v1/b/{BUCKET}/o"


def refused(action: Callable[[], Any]) -> str:
    """What the service says to it; an empty text where it takes it."""
    try:
        action()
    except GoogleAPICallError as error:
        return str(error)
    return ""


def said(answer: tuple[int, dict[str, str], bytes]) -> str:
    """The same of a plain request."""
    return json.loads(answer[2])["error"]["message"] if answer[0] >= 400 else ""


@pytest.mark.parametrize(
    "name", ["ab", "Upper", "-a-b", "abc-", "goog-data", "my-google", "192.168.0.1", "a" * 64, "dot..dot", "with space"]
)
def test_a_buckets_name_is_one_that_a_bucket_may_have(gcp: Project, name: str):
    make = lambda: said(gcp.send("POST", "/storage/v1/b?project=p", json.dumps({"name": name}).encode()))  # noqa: E731
    assert make() == f"Invalid bucket name: '{name}'"
    gcp.fake.switch("bucket-names", False)
    assert make() == ""


def test_a_bucket_is_retained_or_versioned(gcp: Project):
    both = {"retentionPolicy": {"retentionPeriod": "60"}, "versioning": {"enabled": True}}
    make = lambda: said(gcp.send("POST", "/storage/v1/b?project=p", json.dumps({"name": "one", **both}).encode()))  # noqa: E731
    change = lambda: said(gcp.send("PATCH", PLAIN, json.dumps(both).encode()))  # noqa: E731
    assert "cannot be enabled" in make() and "cannot be enabled" in change()
    gcp.fake.switch("retained-or-versioned", False)
    assert make() == change() == ""


def test_names_with_dots_may_be_longer(gcp: Project):
    name = ".".join(["a" * 63] * 3)
    assert refused(lambda: gcp.storage.create_bucket(name)) == ""


@pytest.mark.parametrize("name", [".", "..", "a\nb", "a\rb", "é" * 513, ".well-known/acme-challenge/x"])
def test_an_objects_name_is_one_that_an_object_may_have(gcp: Project, name: str):
    put = lambda: refused(lambda: gcp.put(name, b""))  # noqa: E731
    assert "Invalid object name" in put()
    gcp.fake.switch("object-names", False)
    assert put() == ""


def test_a_name_is_taken_once_and_a_full_bucket_stays(gcp: Project):
    gcp.put("one", b"1")
    make, drop = lambda: gcp.storage.create_bucket(BUCKET), gcp.bucket.delete
    assert "already own it" in refused(make) and "is not empty" in refused(drop)
    gcp.fake.switch("names-taken", False)
    assert refused(make) == ""
    gcp.put("one", b"1")
    gcp.fake.switch("bucket-empty", False)
    assert refused(drop) == ""


def test_properties_are_those_of_the_resource(gcp: Project):
    gcp.put("one", b"1")
    requests = [
        ("POST", f"{UPLOAD}?uploadType=resumable&name=two", {"contentTyp": "a/b"}),
        ("PATCH", f"{PLAIN}/o/one", {"meta": {}}),
        ("PATCH", PLAIN, {"label": {}}),
        ("POST", f"{PLAIN}/o/both/compose", {"sourceObjects": [{"name": "one"}], "target": "x"}),
    ]
    send = lambda verb, path, content: gcp.send(verb, path, json.dumps(content).encode())  # noqa: E731
    assert all("Unknown name" in said(send(*request)) for request in requests)
    assert "no int" not in said(send("PATCH", f"{PLAIN}/o/one", {"contentType": 1}))
    assert "it is no str" in said(send("PATCH", f"{PLAIN}/o/one", {"contentType": 1}))
    assert "has no acl" in said(send("PATCH", f"{PLAIN}/o/one", {"acl": []}))
    assert "Invalid storage class" in said(send("PATCH", f"{PLAIN}/o/one", {"storageClass": "WARM"}))
    assert said(send("PATCH", f"{PLAIN}/o/one", {"generation": "5", "size": "9"})) == ""  # what it says itself
    gcp.fake.switch("properties-known", False)
    assert not any(said(send(*request)) for request in requests)


def test_a_misspelt_precondition_is_refused(gcp: Project):
    path = f"{UPLOAD}?uploadType=media&name=one&ifGenerationmatch=0"
    assert said(gcp.send("POST", path, b"1")) == "Unknown parameter: ifGenerationmatch"
    gcp.fake.switch("query-known", False)
    assert said(gcp.send("POST", path, b"1")) == ""
    path = f"{UPLOAD}?uploadType=media&name=o&ifGenerationMatch=x"
    assert "Invalid value for ifGenerationMatch" in said(gcp.send("POST", path, b"1"))


def test_preconditions_hold(gcp: Project):
    gcp.put("one", b"1")
    again = lambda: refused(lambda: gcp.bucket.blob("one").upload_from_string("2", if_generation_match=0))  # noqa: E731
    assert "did not hold" in again()
    gcp.fake.switch("preconditions", False)
    assert again() == ""


@pytest.mark.parametrize(
    "wrong", [{"X-Goog-Hash": "crc32c=AAAAAA=="}, {"X-Goog-Hash": "md5=AAAA"}, {"Content-MD5": "AAAA"}]
)
def test_bytes_are_those_of_their_checksum(gcp: Project, wrong: dict[str, str]):
    put = lambda: gcp.send("PUT", f"/{BUCKET}/one", b"bytes", wrong)  # noqa: E731
    status, _, body = put()
    assert status == 400 and b"<Code>BadDigest</Code>" in body and b"doesn't match calculated" in body
    assert gcp.names() == []
    assert "doesn't match" in said(gcp.send("POST", f"{UPLOAD}?uploadType=media&name=one", b"bytes", wrong))
    gcp.fake.switch("checksums", False)
    assert put()[0] == 200


def test_the_checksum_in_a_description_counts_too(gcp: Project):
    blob = gcp.bucket.blob("one")
    blob.md5_hash = "AAAA"
    assert "MD5 hash" in refused(lambda: blob.upload_from_string("x"))


def test_metadata_is_at_most_8_kib(gcp: Project):
    def put(size: int) -> str:
        blob = gcp.bucket.blob("one")
        blob.metadata = {"k": "v" * (size - 1)}
        return refused(lambda: blob.upload_from_string("x"))

    assert put(8192) == "" and "exceeds the limit of 8192" in put(8193)
    gcp.fake.switch("metadata-size", False)
    assert put(8193) == ""


def test_a_chunk_is_a_multiple_of_256_kib(gcp: Project):
    def send() -> tuple[int, dict[str, str], bytes]:
        _, headers, _ = gcp.send("POST", f"{UPLOAD}?uploadType=resumable&name=one", b"{}")
        session = headers["location"].removeprefix(gcp.fake.endpoint)
        return gcp.send("PUT", session, b"12345", {"Content-Range": "bytes 0-4/*"})

    assert "no multiple of 262144" in said(send())
    gcp.fake.switch("chunk-size", False)
    assert send()[0] == 308


def test_1_to_32_objects_are_composed(gcp: Project):
    gcp.put("one", b"1")
    compose = lambda count: refused(lambda: gcp.bucket.blob("whole").compose([gcp.bucket.blob("one")] * count))  # noqa: E731
    assert compose(32) == "" and "must be between 1 and 32" in compose(33) and "between 1" in compose(0)
    gcp.fake.switch("compose-sources", False)
    assert compose(33) == "" and gcp.get("whole") == b"1" * 33
