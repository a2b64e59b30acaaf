"""What a test can say to the fake: faults, settings, switches, and the list of calls."""

from __future__ import annotations

import pytest
import requests
from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError
from google.cloud.storage.retry import DEFAULT_RETRY

from tests.unit.fakes.waiting import until
from trivet.core.errors import ConfigError, NotReady, PlatformError
from trivet.platforms.store import ObjectStore
from trivet.rehearsal.fakes.gcp import Fake
from trivet.rehearsal.fakes.gcp.constraints import STRICT, TABLE

from .conftest import BUCKET, Project


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("RESOURCE_EXHAUSTED", exceptions.TooManyRequests),
        ("UNAVAILABLE", exceptions.ServiceUnavailable),
        ("PERMISSION_DENIED", exceptions.Forbidden),
        ("UNAUTHENTICATED", GoogleAuthError),  # the SDK asks for another token, of which there is none
    ],
)
def test_the_next_call_of_an_operation_is_refused_and_the_one_after_not(
    gcp: Project, code: str, error: type[Exception]
):
    gcp.fake.fault("objects.insert", code=code, resource=f"{BUCKET}*")
    gcp.storage.get_bucket(BUCKET)
    with pytest.raises(error):
        gcp.bucket.blob("one").upload_from_string("1", retry=None)
    assert gcp.names() == []
    gcp.put("one", b"1")


def test_a_store_says_what_befell_it(gcp: Project):
    store = ObjectStore(f"gs://{BUCKET}", retry_config={"max_retries": 0})
    gcp.fake.fault("objects.get", code="PERMISSION_DENIED")
    with pytest.raises(PlatformError, match="denies access to 'one'"):
        store.get("one")
    gcp.fake.fault("objects.get", code="RESOURCE_EXHAUSTED", times=5)
    with pytest.raises(NotReady, match="has too much to do"):
        store.get("one")


def test_the_sdk_goes_on_after_weather_that_passes(gcp: Project):
    quick = DEFAULT_RETRY.with_delay(initial=0.01, maximum=0.02)
    gcp.fake.fault("objects.get", code="UNAVAILABLE", times=2)
    gcp.put("one", b"1")
    assert gcp.bucket.blob("one").exists(retry=quick)
    gcp.fake.fault("objects.get", kind="cut")
    assert gcp.bucket.blob("one").exists(retry=quick)


def test_what_is_lost_is_done_and_what_is_cut_is_not(gcp: Project):
    store = ObjectStore(f"gs://{BUCKET}", retry_config={"max_retries": 0})
    for kind, done in (("cut", False), ("lost", True)):
        gcp.fake.fault("objects.insert", kind=kind)
        with pytest.raises(NotReady):
            store.put(kind, b"1")
        assert (gcp.names() == [kind]) is done


def test_a_delay_is_one(gcp: Project):
    gcp.fake.fault("objects.insert", kind="delay", seconds=2.0)
    with pytest.raises(requests.exceptions.ReadTimeout):
        gcp.bucket.blob("one").upload_from_string("1", timeout=0.2, retry=None)
    assert until(gcp.names, bool, 20) == ["one"]  # it was done all the same


def test_calls_are_listed_by_operation_and_resource(gcp: Project):
    gcp.fake.forget_calls()
    gcp.put("a/b", b"")
    ObjectStore(f"gs://{BUCKET}").get("a/b")
    assert gcp.fake.calls() == [
        {"service": "storage", "operation": "objects.insert", "resource": BUCKET},
        {"service": "storage", "operation": "objects.get", "resource": f"{BUCKET}/a/b"},
    ]


def test_mistakes_in_what_is_said_are_told(fake: Fake):
    for wrong, match in (
        ({"kind": "rain"}, "rain is no kind of fault"),
        ({"code": "GRAVITY"}, "no code of Google's"),
        ({"color": "red"}, "This is no fault"),
    ):
        with pytest.raises(ConfigError, match=match):
            fake.fault(**wrong)
    with pytest.raises(ConfigError, match="gravity is no constraint"):
        fake.switch("gravity", False)
    with pytest.raises(ConfigError, match="color is no setting"):
        fake.set(color=1)


def test_every_constraint_has_a_rule_and_a_source_and_is_switched_by_its_name(fake: Fake):
    assert all(entry.rule.endswith(".") and entry.source for entry in TABLE.values())
    assert set(fake.constraints()) == set(TABLE) and all(fake.constraints().values())
    fake.switch("checksums", False)
    assert not fake.constraints()["checksums"]
    fake.reset()
    assert fake.constraints()["checksums"]


def test_every_constraint_is_tested(request: pytest.FixtureRequest):
    text = "".join(path.read_text() for path in request.path.parent.glob("test_*rules.py"))
    text += (request.path.parent / "test_storage_xml.py").read_text()
    assert [name for name in TABLE if f'"{name}"' not in text and name != STRICT] == []


def test_reset_forgets_what_was_made(gcp: Project):
    gcp.put("one", b"1")
    gcp.fake.fault()
    gcp.fake.reset()
    assert gcp.storage.lookup_bucket(BUCKET) is None
    assert {call["operation"] for call in gcp.fake.calls()} == {"buckets.get"}
