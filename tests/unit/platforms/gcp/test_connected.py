"""A stack on Google Cloud from its outputs alone: doctor, audit, login, and who else reads what Trivet made."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.oauth2.credentials import Credentials

from trivet.connect import connect
from trivet.core.errors import ConfigError, PlatformError
from trivet.core.inference import request_of
from trivet.core.leftovers import Place
from trivet.core.platform import Platform
from trivet.core.specs import EndpointSpec, ModelVersion
from trivet.platforms.gcp.clients import Clients
from trivet.platforms.gcp.database import login
from trivet.platforms.gcp.left import left
from trivet.platforms.gcp.session import GcpPlatform
from trivet.platforms.local.processes import python_environment
from trivet.rehearsal.fakes.gcp import LOCATION, PROJECT
from trivet.rehearsal.rigs.gcp import PREFIX, STACK, GcpRig
from trivet.rehearsal.rigs.package import GOLDEN_ROWS, serving_of

Level = Callable[..., dict[str, str]]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place("rehearsal", STACK, LOCATION, PROJECT, None, PREFIX, tmp_path)


@pytest.fixture
def levels(platform: Platform) -> Level:
    return lambda: {one.name: one.level for one in platform.doctor()}


def test_a_stack_is_found_by_the_variables_of_google_s_own_tools(
    rig: GcpRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in rig.fake.environment.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "outputs.json"
    file.write_text(rig.outputs.model_dump_json())
    with connect(outputs=file, root=tmp_path) as platform:
        assert isinstance(platform, GcpPlatform)
        assert platform.store.put("connected", b"here")
        assert [check for check in platform.doctor() if check.level == "fail"] == []
        assert {platform.clients.address(one) for one in ("aiplatform", "cloudkms", "storage")} == {rig.fake.endpoint}


CONNECT = """
import sys
from pathlib import Path
from trivet.connect import connect
from trivet.core.errors import ConfigError
HEAVY = ("google.cloud.aiplatform", "google.cloud.storage", "pulumi", "pandas", "boto3", "mlflow")
{before}
try:
    platform = connect(outputs=Path(sys.argv[1]), root=Path("."))
    platform.store.list("")
    platform.endpoints.state("first")
    print([name for name in HEAVY if name in sys.modules])
except ConfigError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (
            "sys.modules['google.auth'] = None",
            "The package google.auth is not installed. Run `pip install 'trivet[gcp]'`.",
        ),
        ("", "[]"),
    ],
)
def test_a_missing_package_names_the_extra_and_nothing_heavy_is_imported(
    rig: GcpRig, tmp_path: Path, before: str, said: str
) -> None:
    file = tmp_path / "outputs.json"
    file.write_text(rig.outputs.model_dump_json())
    environment = python_environment(os.environ) | rig.fake.environment
    command = [sys.executable, "-P", "-c", CONNECT.format(before=before), str(file)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == said


def test_without_the_variables_each_service_is_google_s(rig: GcpRig) -> None:
    with GcpPlatform(rig.outputs) as platform:
        assert platform.clients.address("aiplatform") == f"https://{LOCATION}-aiplatform.googleapis.com"
        assert platform.clients.address("cloudkms") == "https://cloudkms.googleapis.com"
        assert platform.clients.storage is None


def test_without_credentials_one_is_told_how_to_log_in(
    rig: GcpRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with GcpPlatform(rig.outputs) as platform:
        with pytest.raises(ConfigError, match="gcloud auth application-default login"):
            platform.endpoints.state("first")
        [only] = platform.doctor()
    assert (only.name, only.level) == ("identity", "fail")


@pytest.mark.parametrize(
    ("service", "operation", "check", "level"),
    [
        ("cloudkms", "GetCryptoKey", "key", "unknown"),
        ("storage", "buckets.get", "store", "unknown"),
        ("artifactregistry", "GetTag", "image for training", "unknown"),
        ("cloudresourcemanager", "TestIamPermissions", "rights", "unknown"),
    ],
)
def test_the_doctor_says_what_he_could_not_ask(
    rig: GcpRig, levels: Level, service: str, operation: str, check: str, level: str
) -> None:
    rig.fake.fault(operation, service=service, code="PERMISSION_DENIED", times=10)
    assert levels()[check] == level


def test_the_doctor_finds_a_key_that_signs_no_more_and_an_endpoint_that_is_gone(rig: GcpRig, levels: Level) -> None:
    key = rig.outputs.signing.private_key.removeprefix("gcpkms://")
    rig.clients.patch("cloudkms", f"v1/{key}", {"state": "DISABLED"}, "state")
    try:
        assert levels()["signing key"] == "fail"
    finally:
        rig.clients.patch("cloudkms", f"v1/{key}", {"state": "ENABLED"}, "state")
    rig.fake.fault("GetEndpoint", code="NOT_FOUND", times=1)
    found = levels()
    assert (found["endpoint first"], found["endpoint second"], found["signing key"]) == ("fail", "ok", "ok")
    assert found["schedule nightly"] == "warn"


def test_what_is_left_is_told_by_its_labels_and_its_name(
    rig: GcpRig, place: Place, spec_of: Callable[..., EndpointSpec], empty: str
) -> None:
    rig.platform.endpoints.apply(spec_of(1))
    found = left(rig.clients, place)
    kinds = {one.kind for one in found}
    assert kinds >= {"bucket", "key version", "Vertex AI endpoint", "Vertex AI model"}
    endpoints = {one.id.rpartition("/")[2]: one for one in found if one.kind == "Vertex AI endpoint"}
    first = endpoints[rig.outputs.endpoints[empty].name]
    assert (first.state, first.note) == ("with 1 deployed models", "charged by the hour")
    assert all(one.release for one in found)
    assert left(rig.clients, place._replace(stack="another", prefix="another")) == []
    assert left(rig.clients, place._replace(project="another")) == []


def test_a_list_that_is_not_whole_is_no_audit(rig: GcpRig, place: Place) -> None:
    rig.fake.fault("ListModels", code="PERMISSION_DENIED", times=1)
    with pytest.raises(PlatformError, match="could not be asked for what is left"):
        left(rig.clients, place)


def test_a_key_version_that_is_to_be_destroyed_says_until_when(rig: GcpRig, place: Place) -> None:
    native: Any = rig.outputs.native
    ring = native.key.partition("/cryptoKeys/")[0]
    body = {"purpose": "ENCRYPT_DECRYPT"}
    made = rig.clients.post("cloudkms", f"v1/{ring}/cryptoKeys", body, cryptoKeyId="old")["primary"]["name"]
    rig.clients.post("cloudkms", f"v1/{made}:destroy", {})
    [found] = [one for one in left(rig.clients, place) if one.id == made]
    assert found.state == "pending deletion" and found.until is not None


@pytest.mark.parametrize(
    ("url", "user"),
    [
        ("postgresql://ada%40example.com@abc.def.europe-west3.sql.goog:5432/trivet", "ada@example.com"),
        ("postgresql://ada%40example.com@10.0.0.3/trivet?cloudsql=1", "ada@example.com"),
        ("postgresql://ada@db.example.com/trivet", None),
        ("gs://bucket/ledger", None),
    ],
)
def test_whoever_calls_logs_in_to_cloud_sql_with_a_token(rig: GcpRig, url: str, user: str | None) -> None:
    with GcpPlatform(rig.outputs.model_copy(update={"ledger": url}), rig.clients) as platform:
        found = platform.database_login()
    assert (found.user if found else None) == user
    if found:
        assert found.password() == "rehearsal"


class _Account(Credentials):
    """Credentials of a service account, as google-auth's own say whose they are."""

    service_account_email = "trivet-prod-monitor@lending-models.iam.gserviceaccount.com"


IN_CLOUD_SQL = "postgresql://abc.def.europe-west3.sql.goog:5432/trivet?sslmode=verify-full"


def test_a_url_without_a_user_is_logged_in_to_as_whose_the_credentials_are(rig: GcpRig) -> None:
    """As the stack's URL is: its users are called by their e-mail addresses, less the end of service accounts'."""
    credentials: Any = _Account("theirs")
    clients = Clients(PROJECT, LOCATION, credentials=credentials, endpoint=rig.fake.endpoint)
    found = login(clients, IN_CLOUD_SQL)
    assert found and found.user == "trivet-prod-monitor@lending-models.iam" and found.password() == "theirs"
    person: Any = Credentials("hers").with_account("ada@example.com")
    found = login(Clients(PROJECT, LOCATION, credentials=person, endpoint=rig.fake.endpoint), IN_CLOUD_SQL)
    assert found and found.user == "ada@example.com"


def test_who_logs_in_is_asked_for_where_the_credentials_do_not_say(
    rig: GcpRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGUSER", raising=False)
    with pytest.raises(ConfigError, match="PGUSER"):
        login(rig.clients, IN_CLOUD_SQL)
    monkeypatch.setenv("PGUSER", "ada@example.com")
    found = login(rig.clients, IN_CLOUD_SQL)
    assert found and found.user == "ada@example.com"


@pytest.fixture
def sdk(rig: GcpRig) -> Iterator[Any]:
    """Google's own high-level SDK on the same project."""
    from google.cloud import aiplatform

    aiplatform.init(
        project=PROJECT,
        location=LOCATION,
        credentials=AnonymousCredentials(),
        api_transport="rest",
        api_endpoint=rig.fake.endpoint,
    )
    yield aiplatform


def test_google_s_own_sdk_reads_and_asks_what_trivet_made(
    rig: GcpRig,
    platform: Platform,
    sdk: Any,
    version_of: Callable[[int], ModelVersion],
    spec_of: Callable[..., EndpointSpec],
    empty: str,
) -> None:
    version = version_of(7)
    platform.models.tag(version, alias="champion")
    model = sdk.Model(f"{PREFIX}-loan@champion")
    assert model.uri.endswith(version.key)
    assert model.labels["trivet-model"] == "loan"
    aliases = {alias for one in model.versioning_registry.list_versions() for alias in one.version_aliases}
    assert {"champion", f"trivet-{version.version}"} <= aliases
    platform.endpoints.apply(spec_of(7))
    endpoint = sdk.Endpoint(rig.outputs.endpoints[empty].name)
    rows = [dict(row) for row in GOLDEN_ROWS]
    answer = endpoint.predict(instances=rows)
    request = request_of(GOLDEN_ROWS, serving_of("loan", intercept=0.7))
    ours = platform.endpoints.invoke(empty, request)
    [scores] = [one["data"] for one in ours["outputs"] if one["name"] == "score"]
    assert [one["score"] for one in answer.predictions] == pytest.approx(scores)
    assert [one.display_name for one in endpoint.list_models()] == [str(version)]
