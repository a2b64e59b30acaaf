"""What a test can say to the fake: faults, settings, switches, and the list of calls."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
from azure.ai.ml import MLClient
from azure.ai.ml.entities import Environment
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from tests.unit.fakes.waiting import until
from trivet.core.errors import ConfigError, NotReady, PlatformError
from trivet.platforms.store import ObjectStore
from trivet.rehearsal.fakes.azure import Fake
from trivet.rehearsal.fakes.azure.constraints import STRICT, TABLE

from . import learning
from .conftest import CONTAINER, TRAIN, Subscription


def store(azure: Subscription) -> ObjectStore:
    return ObjectStore(f"{azure.url}/{CONTAINER}", retry_config={"max_retries": 0})


@pytest.fixture
def ml(azure: Subscription) -> MLClient:
    return learning.client(azure)


@pytest.mark.parametrize(
    ("code", "error", "status"),
    [
        ("AuthorizationFailed", HttpResponseError, 403),
        ("QuotaExceeded", HttpResponseError, 400),
        ("ExpiredAuthenticationToken", ClientAuthenticationError, 401),
    ],
)
def test_the_next_call_of_an_operation_is_refused_and_the_one_after_not(
    ml: MLClient, azure: Subscription, code: str, error: type[Exception], status: int
):
    azure.fake.fault("OnlineEndpoints_CreateOrUpdate", code=code, resource="*onlineEndpoints/loan*")
    with pytest.raises(error) as caught:
        learning.endpoint(ml)
    assert getattr(caught.value, "status_code", 0) == status and code in str(caught.value)
    assert learning.endpoint(ml).name == "loan"


def test_a_throttled_call_says_when_to_come_again_and_the_sdk_does(ml: MLClient, azure: Subscription):
    azure.fake.fault("EnvironmentVersions_Get", code="TooManyRequests", after=7)
    answer = azure.arm("GET", "environments/train/versions/1")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    azure.fake.fault("EnvironmentVersions_CreateOrUpdate", code="TooManyRequests", after=1, times=2)
    made = ml.environments.create_or_update(Environment(name="train", version="1", image=TRAIN))
    called = [call["operation"] for call in azure.fake.calls()]
    assert made.version == "1" and called.count("EnvironmentVersions_CreateOrUpdate") == 3


def test_a_store_says_what_befell_it(azure: Subscription):
    azure.fake.fault("GetBlob", code="AuthorizationFailed")
    with pytest.raises(PlatformError, match="denies access to 'one'"):
        store(azure).get("one")
    azure.fake.fault("GetBlob", code="TooManyRequests", times=5)
    with pytest.raises(NotReady):
        store(azure).get("one")


def test_what_is_lost_is_done_and_what_is_cut_is_not(azure: Subscription):
    for kind, done in (("cut", False), ("lost", True)):
        azure.fake.fault("PutBlob", kind=kind)
        with pytest.raises((NotReady, ServiceRequestError, ServiceResponseError)):
            store(azure).put(kind, b"1")
        assert (azure.names() == [kind]) is done


def test_a_delay_is_one(azure: Subscription):
    azure.fake.fault("PutBlob", kind="delay", seconds=2.0)
    token = azure.token("https://storage.azure.com")
    headers = {"Authorization": f"Bearer {token}", "x-ms-version": "2023-11-03", "x-ms-blob-type": "BlockBlob"}
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.put(f"{azure.url}/{CONTAINER}/one", data=b"1", headers=headers, timeout=0.3)
    assert until(azure.names, bool, 20) == ["one"]  # it was done all the same


def test_calls_are_listed_by_service_operation_and_resource(ml: MLClient, azure: Subscription):
    store(azure).put("a/b", b"")
    ml.environments.create_or_update(Environment(name="train", version="1", image=TRAIN))
    found = [tuple(call.values()) for call in azure.fake.calls()]
    account = f"{azure.fake.account}/{CONTAINER}/a/b"
    version = f"workspaces/{azure.fake.workspace}/environments/train/versions/1"
    assert ("blob", "PutBlob", account) in found and ("arm", "EnvironmentVersions_CreateOrUpdate", version) in found


def test_other_names_are_nobodys_and_seen(azure: Subscription):
    azure.fake.forget_calls()
    with pytest.raises(requests.exceptions.ProxyError, match="403"):
        requests.get("https://dc.services.visualstudio.com/v2/track", timeout=10)
    assert azure.fake.calls() == [
        {"service": "elsewhere", "operation": "CONNECT", "resource": "dc.services.visualstudio.com"}
    ]


def test_what_is_left_out_says_so(azure: Subscription):
    for method, path in (("GET", "schedules"), ("GET", "batchEndpoints"), ("POST", "listKeys")):
        answer = azure.arm(method, path)
        assert answer.status_code == 501 and "This fake of Azure has no" in answer.text
    assert azure.arm("GET", "nothing/of/the/kind").status_code == 404


def test_mistakes_in_what_is_said_are_told(fake: Fake):
    for wrong, match in (
        ({"kind": "rain"}, "rain is no kind of fault"),
        ({"code": "Gravity"}, "no code of Azure's"),
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


def test_every_constraint_is_tested_with_its_switch(request: pytest.FixtureRequest):
    text = "".join(path.read_text() for path in Path(request.path.parent).glob("test_*.py"))
    assert [name for name in TABLE if f'switch("{name}", False)' not in text and name != STRICT] == []


def test_reset_forgets_what_was_made(ml: MLClient, azure: Subscription):
    store(azure).put("one", b"1")
    learning.endpoint(ml)
    azure.fake.fault()
    azure.fake.reset()
    fresh = Subscription(azure.fake)
    assert CONTAINER not in [one.name for one in fresh.blobs.list_containers()]
    assert list(learning.client(fresh).online_endpoints.list()) == []
