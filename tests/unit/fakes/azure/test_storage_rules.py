"""Each constraint of Blob Storage, and of tokens, refuses, and with its switch off it does not."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
import requests

from tests.unit.fakes.waiting import until

from .conftest import ARM, CONTAINER, STORAGE, Subscription, said

PUT = {"x-ms-blob-type": "BlockBlob"}


def put(azure: Subscription, name: str = "blob", data: bytes = b"1", **headers: str) -> str:
    """What is said to a blob; headers with underscores for dashes."""
    given = {**PUT, **{key.replace("_", "-"): value for key, value in headers.items()}}
    return said(azure.blob("PUT", f"{CONTAINER}/{name}", data=data, headers=given))


def block(azure: Subscription, identifier: str, data: bytes = b"1") -> str:
    query = {"comp": "block", "blockid": identifier}
    return said(azure.blob("PUT", f"{CONTAINER}/blob", data=data, params=query))


def commit(azure: Subscription, *identifiers: str) -> str:
    blocks = "".join(f"<Latest>{one}</Latest>" for one in identifiers)
    body = f"<BlockList>{blocks}</BlockList>"
    return said(azure.blob("PUT", f"{CONTAINER}/blob", data=body, params={"comp": "blocklist"}))


def identifier(text: str) -> str:
    return b64encode(text.encode()).decode()


@pytest.mark.parametrize("name", ["ab", "Upper", "-ab", "ab-", "a--b", "a_b", "a" * 64, "a.b"])
def test_a_containers_name_is_one_that_it_may_have(azure: Subscription, name: str):
    def make() -> str:
        return said(azure.blob("PUT", name, params={"restype": "container"}))

    assert make() == "InvalidResourceName"
    azure.fake.switch("container-names", False)
    assert make() == ""


@pytest.mark.parametrize("name", ["a" * 1025, "/".join("a" * 255), "a.", "b/"])
def test_a_blobs_name_is_one_that_it_may_have(azure: Subscription, name: str):
    assert put(azure, name) == "InvalidResourceName"
    azure.fake.switch("blob-names", False)
    assert put(azure, name) == ""


def test_a_containers_name_is_taken_once(azure: Subscription):
    def make() -> str:
        return said(azure.blob("PUT", CONTAINER, params={"restype": "container"}))

    assert make() == "ContainerAlreadyExists"
    azure.fake.switch("names-taken", False)
    assert make() == ""


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"if_none_match": "*"}, "BlobAlreadyExists"),
        ({"if_match": '"0x1"'}, "ConditionNotMet"),
        ({"if_unmodified_since": "Mon, 01 Jan 2024 00:00:00 GMT"}, "ConditionNotMet"),
        ({"if_modified_since": "Fri, 01 Jan 2100 00:00:00 GMT"}, "ConditionNotMet"),
    ],
)
def test_conditions_are_kept(azure: Subscription, headers: dict[str, str], code: str):
    assert put(azure) == ""
    assert put(azure, **headers) == code
    azure.fake.switch("preconditions", False)
    assert put(azure, **headers) == ""


def test_a_blob_that_must_be_there_and_is_not_is_no_match(azure: Subscription):
    assert put(azure, if_match="*") == "ConditionNotMet"
    assert put(azure, if_none_match="*") == ""
    etag = azure.blob("HEAD", f"{CONTAINER}/blob").headers["ETag"]
    assert put(azure, if_match=etag) == ""
    found = azure.blob("GET", f"{CONTAINER}/blob")
    same = azure.blob("GET", f"{CONTAINER}/blob", headers={"If-None-Match": found.headers["ETag"]})
    assert (same.status_code, same.content) == (304, b"")


def test_bytes_are_those_of_their_digest(azure: Subscription):
    assert put(azure, content_md5="xMpCOKC5I4INzFCab3WEmw==") == ""  # of b"1"
    wrong = "xMpCOKC5I4INzFCab3WEmA=="
    assert put(azure, content_md5=wrong) == "Md5Mismatch" and put(azure, content_md5="short") == "InvalidMd5"
    azure.fake.switch("checksums", False)
    assert put(azure, content_md5=wrong) == "" and put(azure, content_md5="short") == ""


def test_a_blob_says_its_type_and_a_token_its_version(azure: Subscription):
    def bare() -> str:
        return said(azure.blob("PUT", f"{CONTAINER}/blob", data=b"1"))

    def old() -> str:
        return said(azure.blob("GET", f"{CONTAINER}/blob", headers={"x-ms-version": "2016-05-31"}))

    assert put(azure) == ""
    assert bare() == "MissingRequiredHeader" and old() == "InvalidHeaderValue"
    azure.fake.switch("mandatory-headers", False)
    assert bare() == "" and old() == ""


def test_metadata_has_plain_names_and_is_small(azure: Subscription):
    bad, large = {"x_ms_meta_a-b": "1"}, {"x_ms_meta_a": "x" * 8192}
    assert put(azure, **bad) == "InvalidMetadata" and put(azure, **large) == "MetadataTooLarge"
    azure.fake.switch("metadata-names", False)
    azure.fake.switch("metadata-size", False)
    assert put(azure, **bad) == "" and put(azure, **large) == ""


@pytest.mark.parametrize("bad", ["no base64", identifier("x" * 65), identifier("longer")])
def test_blocks_have_ids_of_one_length(azure: Subscription, bad: str):
    assert block(azure, identifier("1")) == ""
    assert block(azure, bad) in ("InvalidQueryParameterValue", "InvalidBlobOrBlock")
    azure.fake.switch("block-ids", False)
    assert block(azure, bad) == ""


def test_a_list_of_blocks_names_those_that_there_are_and_not_too_many(azure: Subscription):
    one, two = identifier("1"), identifier("2")
    assert block(azure, one) == ""
    many = [one] * 50_001
    assert commit(azure, one, two) == "InvalidBlockList" and commit(azure, *many) == "BlockListTooLong"
    azure.fake.switch("blocks-known", False)
    azure.fake.switch("block-count", False)
    assert block(azure, one) == "" and commit(azure, *many) == "" and commit(azure, one, two) == ""


def test_a_range_that_begins_behind_the_end_is_none(azure: Subscription):
    assert put(azure, data=b"123") == ""
    answer = azure.blob("GET", f"{CONTAINER}/blob", headers={"Range": "bytes=3-"})
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (416, "InvalidRange")
    assert azure.blob("GET", f"{CONTAINER}/blob", headers={"x-ms-range": "bytes=1-9"}).content == b"23"


def test_what_there_is_not_is_not_found(azure: Subscription):
    get = azure.blob("GET", f"{CONTAINER}/none")
    assert (get.status_code, said(get)) == (404, "BlobNotFound")
    assert said(azure.blob("GET", "none/none")) == "ContainerNotFound"
    assert said(azure.blob("PUT", f"{CONTAINER}/x", headers={"x-ms-blob-type": "AppendBlob"})) == "NotImplemented"
    assert said(azure.blob("PUT", f"{CONTAINER}/x", params={"comp": "lease"})) == "NotImplemented"


def asked(azure: Subscription, **headers: str) -> tuple[int, str]:
    """Status and code of a list by whoever these headers are."""
    query = {"restype": "container", "comp": "list"}
    given: dict[str, Any] = {"x-ms-version": "2023-11-03", **headers}
    answer = requests.get(f"{azure.url}/{CONTAINER}", params=query, headers=given, timeout=60)
    return answer.status_code, said(answer)


def test_a_token_is_asked_for_and_must_be_good(azure: Subscription):
    assert asked(azure) == (401, "NoAuthenticationInformation")
    assert asked(azure, Authorization="Bearer made-up") == (401, "InvalidAuthenticationInfo")
    assert asked(azure, Authorization="SharedKey a:b") == (403, "KeyBasedAuthenticationNotPermitted")
    azure.fake.set(token=0.2)
    short = Subscription(azure.fake).token(STORAGE)
    until(lambda: asked(azure, Authorization=f"Bearer {short}"), lambda found: found[0] == 401, 10)
    azure.fake.switch("tokens", False)
    assert asked(azure)[0] == asked(azure, Authorization=f"Bearer {short}")[0] == 200


def test_a_token_is_for_the_resource_that_is_asked(azure: Subscription):
    other = f"Bearer {azure.token(ARM)}"
    assert asked(azure, Authorization=other) == (401, "InvalidAuthenticationInfo")
    azure.fake.switch("audiences", False)
    assert asked(azure, Authorization=other) == (200, "")
