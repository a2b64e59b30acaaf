"""Whether work on a stack can begin: who calls, what is there, and what the project allows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from google.api_core.exceptions import GoogleAPICallError
from google.auth.transport.requests import Request

from trivet.core.checkup import Check
from trivet.core.errors import TrivetError
from trivet.core.outputs import GcpNative, Outputs
from trivet.platforms.gcp.clients import Again, Clients
from trivet.platforms.gcp.errors import UNREACHABLE, Unreadable, is_missing, said, told
from trivet.platforms.gcp.images import SERVING, TRAINING, name
from trivet.platforms.gcp.signing import KMS
from trivet.platforms.scheduled import task_key

# What the verbs ask of the project, and of single resources in it; docs/gcp.md lists them.
PERMISSIONS = (
    *(f"aiplatform.customJobs.{verb}" for verb in ("create", "get", "list", "cancel")),
    *(f"aiplatform.models.{verb}" for verb in ("upload", "get", "list", "update", "delete")),
    *(f"aiplatform.endpoints.{verb}" for verb in ("get", "deploy", "undeploy", "update", "predict")),
    *("logging.logEntries.list", "monitoring.alerts.list"),
    *("monitoring.metricDescriptors.create", "monitoring.metricDescriptors.list"),
    *("monitoring.timeSeries.create", "monitoring.timeSeries.list"),
)
OBJECTS = tuple(f"storage.objects.{verb}" for verb in ("create", "get", "list", "delete"))
APIS = ("aiplatform", "cloudkms", "storage", "logging", "monitoring", "artifactregistry", "iam")
CPUS = ("custom_model_training_cpus", "custom_model_serving_cpus")  # metrics of Vertex AI's quotas
ACT, SIGN = ("iam.serviceAccounts.actAs",), ("cloudkms.cryptoKeyVersions.useToSign",)

Found = tuple[str, str]  # level and note


def examine(clients: Clients, outputs: Outputs, native: GcpNative) -> Iterator[Check]:
    """Look at one thing after the other; without an identity nothing else can be asked."""
    try:
        yield Check(name="identity", level="ok", note=_caller(clients))
    except TrivetError as error:
        yield Check(name="identity", level="fail", note=str(error))
        return
    signing = outputs.signing.private_key.removeprefix(KMS)
    checks: dict[str, Callable[[], Found]] = {
        "key": lambda: _key(clients, native.key),
        "signing key": lambda: _version(clients.get("cloudkms", f"v1/{signing}"), signing),
        **{what: lambda url=url: _bucket(clients, url) for what, url in _buckets(outputs)},
        **{
            f"endpoint {one}": lambda shell=shell: _endpoint(clients, shell.name)
            for one, shell in outputs.endpoints.items()
        },
        **{
            f"account {account.partition('@')[0]}": lambda account=account: _account(clients, account)
            for account in (native.trainer, native.server)
        },
        **{f"image for {use}": lambda use=use: _image(clients, native, use) for use in (TRAINING, SERVING)},
        **{f"schedule {one}": lambda one=one: _schedule(clients, outputs.store, one) for one in native.schedules},
        "APIs": lambda: _apis(clients),
        "quota": lambda: _quota(clients),
        "rights": lambda: _rights(clients),
        "right to sign": lambda: _allowed(
            clients, "cloudkms", f"v1/{signing.partition('/cryptoKeyVersions/')[0]}:testIamPermissions", SIGN
        ),
        **{
            f"right to act as {account.partition('@')[0]}": lambda account=account: _allowed(
                clients, "iam", f"v1/projects/{clients.project}/serviceAccounts/{account}:testIamPermissions", ACT
            )
            for account in (native.trainer, native.server)
        },
        **{f"rights on {what}": lambda url=url: _rights_on(clients, url) for what, url in _buckets(outputs)},
    }
    for what, check in checks.items():
        level, note = _asked(check)
        yield Check.model_validate({"name": what, "level": level, "note": note})


def _caller(clients: Clients) -> str:
    """Who calls; a token is asked for, so that credentials which are no longer good are found."""
    with told("Asking Google Cloud who you are"):
        credentials: Any = clients.credentials
        if not credentials.valid:
            credentials.refresh(Request())
    return getattr(credentials, "service_account_email", "") or getattr(credentials, "account", "") or "a user"


def _asked(check: Callable[[], Found]) -> Found:
    try:
        return check()
    except GoogleAPICallError as error:
        if is_missing(error):
            return "fail", f"It is not there: {said(error)}."
        if error.code == 403:
            return "unknown", f"You may not look: {said(error)}."
        return "unknown", f"Google Cloud did not say: {said(error)}."
    except (*UNREACHABLE, Unreadable) as error:
        return "unknown", f"Google Cloud did not say: {error}."


def _key(clients: Clients, key: str) -> Found:
    return _version(clients.get("cloudkms", f"v1/{key}").get("primary", {}), key)


def _version(version: dict[str, Any], key: str) -> Found:
    state = version.get("state", "without a version")
    return ("ok", key) if state == "ENABLED" else ("fail", f"It is {state}: enable it, or restore its version.")


def _buckets(outputs: Outputs) -> list[tuple[str, str]]:
    return [("store", outputs.store), ("records", outputs.records)]


def _bucket(clients: Clients, url: str) -> Found:
    clients.get("storage", f"storage/v1/b/{_name(url)}")
    return "ok", url


def _endpoint(clients: Clients, id: str) -> Found:  # noqa: A002  the field's own name
    clients.get("aiplatform", f"v1/{clients.parent}/endpoints/{id}")
    return "ok", id


def _account(clients: Clients, email: str) -> Found:
    found = clients.get("iam", f"v1/projects/{clients.project}/serviceAccounts/{email}")
    return ("fail", "It is disabled: enable it.") if found.get("disabled") else ("ok", email)


def _image(clients: Clients, native: GcpNative, use: str) -> Found:
    if native.images is None:
        return "warn", "The stack has no image registry: name an image with each job and endpoint."
    host, project, repository = native.images.split("/", 2)
    image, _, tag = name(use).partition(":")
    place = f"projects/{project}/locations/{host.removesuffix('-docker.pkg.dev')}/repositories/{repository}"
    clients.get("artifactregistry", f"v1/{place}/packages/{image}/tags/{tag}")
    return "ok", f"{native.images}/{name(use)}"


def _schedule(clients: Clients, url: str, schedule: str) -> Found:
    """Whether anybody has said what it runs: until then each of its jobs fails."""
    try:
        clients.get("storage", f"storage/v1/b/{_name(url)}/o/{quote(task_key(schedule), safe='')}")
    except GoogleAPICallError as error:
        if not is_missing(error):
            raise
        return "warn", f"Nobody has said what it runs: call `trivet schedule {schedule}`."
    return "ok", task_key(schedule)


def _apis(clients: Clients) -> Found:
    names = [f"projects/{clients.project}/services/{one}.googleapis.com" for one in APIS]
    found = clients.get("serviceusage", f"v1/projects/{clients.project}/services:batchGet", names=names)
    off = [one["name"].rpartition("/")[2] for one in found.get("services", []) if one.get("state") != "ENABLED"]
    if off:
        return "fail", f"Not enabled: run `gcloud services enable {' '.join(sorted(off))}`."
    return "ok", f"{len(APIS)} are enabled"


def _quota(clients: Clients) -> Found:
    """Whether Vertex AI gives any processors at all, for machines of the usual kinds."""
    path = f"v1/projects/{clients.project}/locations/global/services/aiplatform.googleapis.com/quotaInfos"
    given: dict[str, set[str]] = defaultdict(set)  # values, by metric; -1 is without end
    for one in clients.pages("cloudquotas", path, "quotaInfos"):
        metric = str(one.get("metric", "")).rpartition("/")[2]
        for info in one.get("dimensionsInfos", []) if metric in CPUS else []:
            if clients.location in info.get("applicableLocations", []):
                given[metric].add(str(info.get("details", {}).get("value", "0")))
    if none := [metric for metric, values in given.items() if values == {"0"}]:
        return "fail", f"It is 0 for {', '.join(none)}: ask for more under IAM & Admin, Quotas."
    if not given:
        return "unknown", f"Google Cloud says none for {clients.location}."
    return "ok", ", ".join(f"{metric}: {' or '.join(sorted(values))}" for metric, values in sorted(given.items()))


def _rights(clients: Clients) -> Found:
    path = f"v1/projects/{clients.project}:testIamPermissions"
    return _allowed(clients, "cloudresourcemanager", path, PERMISSIONS, "In the whole project you")


def _rights_on(clients: Clients, url: str) -> Found:
    path = f"storage/v1/b/{_name(url)}/iam/testPermissions"
    return _given(clients.get("storage", path, permissions=list(OBJECTS)), OBJECTS)


def _allowed(clients: Clients, service: str, path: str, wanted: Sequence[str], who: str = "You") -> Found:
    return _given(clients.post(service, path, {"permissions": list(wanted)}, Again.ALWAYS), wanted, who)


def _given(answer: Mapping[str, Any], wanted: Sequence[str], who: str = "You") -> Found:
    if denied := [one for one in wanted if one not in answer.get("permissions", [])]:
        return "warn", f"{who} may not {', '.join(denied)}: ask for the right."
    return "ok", ", ".join(wanted) if len(wanted) == 1 else f"{len(wanted)} permissions are given"


def _name(url: str) -> str:
    return url.removeprefix("gs://").partition("/")[0]
