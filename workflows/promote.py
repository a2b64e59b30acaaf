"""A model version from one stack to another, whatever their clouds: the same bytes, checked on the way and signed anew.

What travels: the package, what its gate said with the evaluation behind it, the author, and, where that may be, the
approval. What does not: aliases, since to serve a version is a decision of the target's. What the target has decided
itself stands. Each step may be repeated: a call that was cut off goes on where it was.
"""

from __future__ import annotations

import shutil
from typing import get_args

from trivet.core import faults
from trivet.core.document import Document
from trivet.core.errors import ConfigError, GateRefused, NotFound
from trivet.core.layout import JOB_OUTPUTS
from trivet.core.locks import lock
from trivet.core.outputs import EnvironmentName
from trivet.core.specs import ModelVersion
from trivet.governance.approval import POLICY_ACTOR, Person, command
from trivet.platforms.packages import get_package
from trivet.platforms.versions import check_name
from trivet.training.evaluation import EVALUATION, SCORES
from trivet.workflows.bench import Bench
from trivet.workflows.release import Judged, approve, judged_key, note_registered, read_judged
from trivet.workflows.vouching import Vouched, stack_of, vouched

ENVIRONMENTS: tuple[str, ...] = get_args(EnvironmentName)  # from the least strict
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
    :raises GateRefused: when somebody rejected the version at the source.
    """
    _refuse_same(source, target)
    found = vouched(source, reference)
    version, digest = found.version, found.version.digest
    called = check_name(name or version.name)
    place = target.home / FOLDER / digest.removeprefix("sha256:")
    with lock(target.home / "locks" / f"promote-{place.name[:12]}.lock", f"the promotion of {version}"):
        with target.progress.step(f"Fetch {version} from {stack_of(source)}") as note:
            platform = source.platform
            get_package(platform.store, digest, place, platform.outputs.signing.public_key)
            note(digest[:19])
        faults.point("promote.fetched")
        with target.progress.step(f"Register it in {stack_of(target)}") as note:
            # The ledger first: it holds where the package came from, also where the process died in between.
            target.note("promoted", digest, _body(source, target, found, called))
            document = _carry_judgement(source, target, found)
            faults.point("promote.judged")
            there = target.platform.models.register(called, place, author=version.author, tags=found.tags)
            note_registered(target, there, document)
            note(str(there))
        faults.point("promote.registered")
        there, waits = _carry_approval(source, target, found, there)
        shutil.rmtree(place)
    origin = f"{stack_of(source)}: {version}"
    return Promoted(version=there, origin=origin, stack=target.platform.outputs.stack, waits=waits)


def _refuse_same(source: Bench, target: Bench) -> None:
    one, other = source.platform.outputs, target.platform.outputs
    if (one.store, one.signing.key_id) == (other.store, other.signing.key_id):
        raise ConfigError(f"{one.stack} is where the model is.", "Name another stack after --to.")


def _body(source: Bench, target: Bench, found: Vouched, called: str) -> dict[str, object]:
    outputs = source.platform.outputs
    origin = {"project": outputs.project, "stack": outputs.stack, "cloud": outputs.cloud, "version": str(found.version)}
    return {
        "name": called,
        "author": found.version.author,
        "from": {**origin, "key": outputs.signing.key_id},
        "ledger": [{"kind": one.kind, "seq": one.seq, "hash": one.hash} for one in found.evidence],
        "identity": target.actor.identity,
    }


def _carry_judgement(source: Bench, target: Bench, found: Vouched) -> bytes | None:
    """What the gate said, unless a gate of the target's was asked itself; the document that stands there then."""
    store, key = target.platform.store, judged_key(found.version.digest)
    if found.judged is not None:
        _carry_evaluation(source, target, found.judged)
        kept = found.judged.model_copy(update={"served": None})  # it names files of the source's store
        store.create(key, kept.canonical())
    try:
        return store.get(key)
    except NotFound:
        return None


def _carry_evaluation(source: Bench, target: Bench, judged: Judged) -> None:
    """Scores by rows' digests, with which the next training on the target compares itself. Nothing is overwritten."""
    prefix = judged.evaluation
    if not prefix.startswith(tuple(f"{folder}/" for folder in JOB_OUTPUTS)):
        return
    for name in (EVALUATION, SCORES):
        try:
            data = source.platform.store.get(f"{prefix}/{name}")
        except NotFound:
            continue
        target.platform.store.create(f"{prefix}/{name}", data)


def _carry_approval(source: Bench, target: Bench, found: Vouched, there: ModelVersion) -> tuple[ModelVersion, str]:
    """Approve by the rule of the target's profile, where the source is as strict a place; else it waits."""
    there = target.platform.models.get(f"{there.name}/{there.version}")
    if there.approval is not None:
        return there, "" if there.approval.status == "approved" else f"It was rejected by {there.approval.actor}."
    if rejected := _rejected(target, there):
        return there, f"The same package was rejected there, as {rejected}."
    try:
        judged = read_judged(target, there)
    except NotFound as missing:
        return there, str(missing)
    if not _as_strict(source, target):
        way = f"Somebody reads its model card and runs `{command(str(there), target.platform.outputs.stack)}`."
        return there, f"{stack_of(source)} is a less strict place, whose approvals count there for nothing. {way}"
    try:
        return approve(target, there, judged, _approver(source, target, found), noted_by=target.actor.name), ""
    except GateRefused as refused:
        return there, str(refused)


def _rejected(target: Bench, there: ModelVersion) -> ModelVersion | None:
    alike = (one for one in target.platform.models.list() if one.digest == there.digest and one.approval)
    return next((one for one in alike if one.approval and one.approval.status == "rejected"), None)


def _as_strict(source: Bench, target: Bench) -> bool:
    one, other = source.platform.outputs, target.platform.outputs
    ranks = ENVIRONMENTS.index(one.environment) >= ENVIRONMENTS.index(other.environment)
    return ranks and (one.regulated or not other.regulated)


def _approver(source: Bench, target: Bench, found: Vouched) -> Person | None:
    """Who approved at the source; nobody where that was its policy, so that the target's rule is asked."""
    approval = found.approval
    if approval is None or approval.actor.startswith(POLICY_ACTOR):
        return None
    key = source.platform.outputs.signing.key_id
    who = f"{approval.identity}, as {stack_of(source)} (key {key}) says of {approval.time:%Y-%m-%d %H:%M} UTC"
    return Person(approval.actor, f"{who}; carried by {target.actor.name}, not verified here", approval.reason)
