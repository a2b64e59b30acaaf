"""From a judged package to a served release: register, approve, deploy. Each verb may be repeated."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from pathlib import Path

from pydantic import Field

from trivet.core import faults
from trivet.core.canonical import digest as digest_of
from trivet.core.document import Document
from trivet.core.errors import GateRefused, NotFound
from trivet.core.findings import GateReport
from trivet.core.locks import lock
from trivet.core.modelpackage import Package
from trivet.core.policy import Policy
from trivet.core.project import Drift, ServingOptions
from trivet.core.records import Mode
from trivet.core.specs import Approval, EndpointSpec, EndpointState, ModelVersion, Release
from trivet.governance.approval import Person, check_reason, command, decide
from trivet.platforms.versions import OURS
from trivet.workflows.ask import only_endpoint
from trivet.workflows.bench import Bench
from trivet.workflows.deployment import ALONE, WHOLE, Deployment, spec_of

CHAMPION = "champion"
JUDGED = "judged.json"


class Judged(Document):
    """What was known of a package when it was registered: kept beside it, for the person who approves later."""

    project: str
    endpoint: str
    records: Mode
    policy: Policy
    gate: GateReport
    drift: Drift
    serving: ServingOptions = ServingOptions()  # of older ones, who said nothing of it
    plan: str = Field(description="Digest of the training's plan.")
    evaluation: str = Field(description="Store key prefix of the evaluation.")
    served: tuple[str, str] | None = Field(description="Package and evaluation that the training was compared with.")


def judged_key(digest: str) -> str:
    """Store key of what was known about a package."""
    return f"judged/{digest.removeprefix('sha256:')}/{JUDGED}"


def read_judged(bench: Bench, version: ModelVersion) -> Judged:
    """What the gate said of a version.

    :raises NotFound: for a version that was registered without a gate.
    """
    try:
        return Judged.parse(json.loads(bench.platform.store.get(judged_key(version.digest))), "judged.json")
    except NotFound as error:
        raise NotFound(
            f"No gate has judged {version}.", "A model from elsewhere needs an evaluation: train it with `trivet run`."
        ) from error


def register(bench: Bench, name: str, package: Path, judged: Judged, tags: dict[str, str]) -> ModelVersion:
    """Register a package that the gate did not refuse, with what the gate said of it."""
    document = judged.canonical()
    bench.platform.store.put(judged_key(Package(package).digest), document)
    faults.point("run.judged")
    version = bench.platform.models.register(name, package, author=bench.actor.name, tags=tags)
    note_registered(bench, version, document)
    faults.point("run.registered")
    return version


def note_registered(bench: Bench, version: ModelVersion, judged: bytes | None) -> None:
    """Write to the ledger who made a version and what its gate said: all that may be taken for true of it later.

    :param judged: the document of the store, if there is one.
    """
    body = {
        "digest": version.digest,
        "author": version.author,
        "tags": {key: value for key, value in version.tags.items() if not key.startswith(OURS)},
        "judged": judged and digest_of(judged),
        "identity": bench.actor.identity,
    }
    bench.note("registered", str(version), body)


def approve(
    bench: Bench, version: ModelVersion, judged: Judged, person: Person | None = None, *, noted_by: str = ""
) -> ModelVersion:
    """Record the approval that the stack's profile asks for; what a person decided before stands until a person acts.

    :param noted_by: who writes it to the ledger, where that is not who approves.
    :raises GateRefused: when the rule does not let it through, naming who must do what.
    """
    before, stack = version.approval, bench.platform.outputs.stack
    if before and person is None:
        if before.status == "approved":
            return version
        raise GateRefused(
            f"{version} was rejected by {before.actor}: {before.reason}",
            f"Train another, or a person runs `{command(str(version), stack)}`.",
        )
    try:
        approval = decide(
            judged.gate,
            judged.policy,
            bench.profile,
            version=str(version),
            author=version.author,
            now=bench.now(),
            person=person,
            stack=stack,
        )
    except GateRefused as refused:
        body = {"digest": version.digest, "status": "refused", "reason": refused.message}
        bench.note("approval", str(version), body, actor=noted_by or (person.name if person else ""))
        raise
    return _record(bench, version, approval, noted_by)


def reject(bench: Bench, version: ModelVersion, person: Person) -> ModelVersion:
    """Record that a person does not want a version; it can no longer be deployed.

    :raises ConfigError: without a reason.
    """
    check_reason(str(version), person.reason)
    return _record(
        bench,
        version,
        Approval(
            actor=person.name, status="rejected", reason=person.reason, identity=person.identity, time=bench.now()
        ),
    )


def _record(bench: Bench, version: ModelVersion, approval: Approval, noted_by: str = "") -> ModelVersion:
    # The ledger first: what counts as approved is in it, also where the process died in between.
    body = {"digest": version.digest, **approval.model_dump(mode="json", exclude={"time"})}
    bench.note("approval", str(version), body, actor=noted_by or approval.actor)
    tagged = bench.platform.models.tag(version, approval=approval)
    faults.point("run.approved")
    return tagged


def deploy(
    bench: Bench, version: ModelVersion, endpoint: str = "", how: Deployment = ALONE, *, keeps_split: bool = False
) -> EndpointState:
    """Serve an approved version; also starts a server again that has stopped.

    :param keeps_split: of a version that serves already, leave its share, and a shadow, as they are.
    :raises GateRefused: when nobody approved the version.
    :raises Locked: while another deployment of the endpoint runs.
    """
    spec = wanted(bench, version, endpoint, how, keeps_split=keeps_split)
    with deploying(bench, spec.name):
        faults.point("deploy.begun")
        state = bench.platform.endpoints.apply(spec)
        faults.point("deploy.applied")
        settle(bench, version, spec)
    return state


def wanted(
    bench: Bench, version: ModelVersion, endpoint: str = "", how: Deployment = ALONE, *, keeps_split: bool = False
) -> EndpointSpec:
    """What an endpoint is to be in order to serve an approved version; nothing is changed yet.

    :raises GateRefused: when nobody approved the version.
    """
    if version.approval is None or version.approval.status != "approved":
        said = "was rejected" if version.approval else "is not approved"
        stack = bench.platform.outputs.stack
        raise GateRefused(f"{version} {said} in {stack}.", f"Somebody may run `{command(str(version), stack)}`.")
    judged = read_judged(bench, version)
    name = only_endpoint(bench.platform, endpoint or _usual(bench, judged))
    release = Release(model=version.name, version=version.version, digest=version.digest)
    spec = spec_of(bench.platform, name, release, judged.serving, how, keeps_split=keeps_split)
    spec = spec.model_copy(update={"records": judged.records})
    bench.platform.check(spec)
    return spec


def _usual(bench: Bench, judged: Judged) -> str:
    """The endpoint that its project names, where the stack has that one; a stack may have one of another name."""
    return judged.endpoint if judged.endpoint in bench.platform.outputs.endpoints else ""


def deploying(bench: Bench, endpoint: str) -> AbstractContextManager[None]:
    """Nobody else deploys to the endpoint meanwhile.

    :raises Locked: when somebody does.
    """
    return lock(bench.home / "locks" / f"deploy-{endpoint}.lock", f"endpoint {endpoint}")


def settle(bench: Bench, version: ModelVersion, spec: EndpointSpec) -> None:
    """Say of a version that it serves: on the ledger with its share, and in the registry where it has all of it."""
    share = sum(one.traffic for one in spec.releases if one.digest == version.digest)
    actor = version.approval.actor if version.approval else ""
    body = {"model": str(version), "digest": version.digest, "approved_by": actor, "traffic": share}
    if share == 0:
        body["shadow"] = True
    bench.note("release", spec.name, body)
    if share == WHOLE and CHAMPION not in version.aliases:
        bench.platform.models.tag(version, alias=CHAMPION)
