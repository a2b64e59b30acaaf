"""A model version from one stack to another, whatever their clouds: the same bytes, checked on the way and signed anew.

What travels: the package, what its gate said with the evaluation behind it, the author, and, where the target's own
rule takes it, the approval. What does not: aliases, since to serve a version is a decision of the target's.
Each step may be repeated: what is there is not copied again, and a call that was cut off goes on where it was.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from typing import get_args

from trivet.core import faults
from trivet.core.document import Document
from trivet.core.errors import ConfigError, GateRefused, IntegrityError, NotFound
from trivet.core.locks import lock
from trivet.core.policy import Profile
from trivet.core.specs import Approval, ModelVersion
from trivet.governance.approval import POLICY_ACTOR, Person
from trivet.governance.ledger import Entry
from trivet.platforms.packages import get_package
from trivet.platforms.versions import OURS
from trivet.workflows.bench import Bench
from trivet.workflows.release import Judged, approve, judged_key, read_judged

STRICTNESS: tuple[Profile, ...] = get_args(Profile)  # from the least strict
FOLDER = "promotions"


class Promoted(Document):
    """A version in the target's registry, and where it came from."""

    version: ModelVersion
    origin: str
    stack: str
    waits: str = ""
    """Why it is not approved there, and who may do what; empty where it is."""


def promote(source: Bench, target: Bench, reference: str, name: str = "") -> Promoted:
    """Copy a version of one stack's registry into another's, there called ``name`` or as it is called here.

    :raises IntegrityError: when the package, or what the source says of it, is not what was signed and noted.
    :raises GateRefused: when the source rejected the version.
    """
    _refuse_same(source, target)
    version = source.platform.models.get(reference)
    if version.approval and version.approval.status == "rejected":
        raise GateRefused(f"{version} was rejected by {version.approval.actor}: {version.approval.reason}")
    judged, evidence = _vouched(source, version)
    place = target.home / FOLDER / version.digest.removeprefix("sha256:")
    with lock(target.home / "locks" / f"promote-{place.name[:12]}.lock", f"the promotion of {version}"):
        with target.progress.step(f"Fetch {version} from {_of(source)}") as note:
            platform = source.platform
            package = get_package(platform.store, version.digest, place, platform.outputs.signing.public_key)
            note(package.digest[:19])
        faults.point("promote.fetched")
        with target.progress.step(f"Register it in {_of(target)}") as note:
            if judged is not None:
                _carry_evaluation(source, target, judged)
                kept = judged.model_copy(update={"served": None})  # it names files of the source's store
                target.platform.store.put(judged_key(version.digest), kept.canonical())
            faults.point("promote.judged")
            tags = {key: value for key, value in version.tags.items() if not key.startswith(OURS)}
            there = target.platform.models.register(name or version.name, place, author=version.author, tags=tags)
            target.note("promoted", str(there), _body(source, target, version, judged, evidence))
            note(str(there))
        faults.point("promote.registered")
        there, waits = _carry_approval(source, target, version, there, judged)
        shutil.rmtree(place)
    return Promoted(version=there, origin=f"{_of(source)}: {version}", stack=target.platform.outputs.stack, waits=waits)


def _refuse_same(source: Bench, target: Bench) -> None:
    one, other = source.platform.outputs, target.platform.outputs
    if (one.project, one.stack) == (other.project, other.stack):
        raise ConfigError(f"{one.stack} is where the model is.", "Name another stack after --to.")


def _of(bench: Bench) -> str:
    return f"{bench.platform.outputs.project}/{bench.platform.outputs.stack}"


def _vouched(source: Bench, version: ModelVersion) -> tuple[Judged | None, list[Entry]]:
    """What the gate said of a version, none where no gate was asked, with the entries of the ledger that say the same.

    :raises IntegrityError: when the ledger does not.
    """
    approved = [] if version.approval is None else [_decided(source, version, version.approval)]
    try:
        judged = read_judged(source, version)
    except NotFound:
        return None, approved
    for entry, gate in _gates(source, version):
        if _says({"policy": judged.policy.content_digest(), **gate}, _verdict(judged)):
            return judged, [entry, *approved]
    raise _unlike(source, "verdict", version)


def _gates(source: Bench, version: ModelVersion) -> Iterator[tuple[Entry, Mapping[str, object]]]:
    """What the source's ledger holds that gates said: its own, and that of where the version came from."""
    for entry in source.ledger.entries("gate", version.digest):
        yield entry, entry.body  # of a model from elsewhere it names no policy
    for entry in source.ledger.entries("promoted", str(version)):
        gate = entry.body["gate"]
        if entry.body["digest"] == version.digest and isinstance(gate, dict):
            yield entry, gate


def _verdict(judged: Judged) -> dict[str, object]:
    return {
        "verdict": judged.gate.verdict.value,
        "reasons": list(judged.gate.reasons),
        "policy": judged.policy.content_digest(),
    }


def _decided(source: Bench, version: ModelVersion, approval: Approval) -> Entry:
    entries = [one for one in source.ledger.entries("approval", str(version)) if one.body["status"] != "refused"]
    body = {"digest": version.digest, **approval.model_dump(mode="json", exclude={"time"})}
    if not entries or not _says(entries[-1].body, body):
        raise _unlike(source, "approval", version)
    return entries[-1]


def _says(body: Mapping[str, object], wanted: Mapping[str, object]) -> bool:
    return all(body.get(key) == value for key, value in wanted.items())


def _unlike(source: Bench, what: str, version: ModelVersion) -> IntegrityError:
    return IntegrityError(
        f"The ledger of {_of(source)} does not hold the {what} that its store or registry has of {version}.",
        "Find out who changed which: begin with `trivet ledger verify`.",
    )


def _carry_evaluation(source: Bench, target: Bench, judged: Judged) -> None:
    """Scores by rows' digests, with which the next training on the target compares itself."""
    if judged.evaluation:
        for key in source.platform.store.list(f"{judged.evaluation}/"):
            target.platform.store.put(key, source.platform.store.get(key))


def _body(
    source: Bench, target: Bench, version: ModelVersion, judged: Judged | None, evidence: list[Entry]
) -> dict[str, object]:
    outputs = source.platform.outputs
    return {
        "digest": version.digest,
        "author": version.author,
        "from": {"project": outputs.project, "stack": outputs.stack, "cloud": outputs.cloud, "version": str(version)},
        "key": outputs.signing.key_id,
        "gate": judged and _verdict(judged),
        "ledger": [{"kind": one.kind, "seq": one.seq, "hash": one.hash} for one in evidence],
        "identity": target.actor.identity,
    }


def _carry_approval(
    source: Bench, target: Bench, version: ModelVersion, there: ModelVersion, judged: Judged | None
) -> tuple[ModelVersion, str]:
    """Approve by the target's rule: by the person who approved at the source, where that is as strict a place, or by
    the policy; else it waits. What was decided on the target before stands."""
    if there.approval is not None:
        return there, "" if there.approval.status == "approved" else f"It was rejected by {there.approval.actor}."
    if judged is None:
        return there, "No gate has judged it."
    try:
        return approve(target, there, judged, _approver(source, target, version)), ""
    except GateRefused as refused:
        return there, str(refused)


def _approver(source: Bench, target: Bench, version: ModelVersion) -> Person | None:
    approval = version.approval
    if approval is None or approval.actor.startswith(POLICY_ACTOR):
        return None
    if STRICTNESS.index(source.profile) < STRICTNESS.index(target.profile):
        return None
    when = f"{approval.time:%Y-%m-%d %H:%M} UTC"
    identity = f"{approval.identity}; approved {version} in {_of(source)} on {when}, carried by {target.actor.name}"
    return Person(approval.actor, identity, approval.reason)
