"""What a stack's ledger vouches for of a version in its registry: who made it, what its gate said, who approved it.

Registry and store can be written by more people than the ledger can be rewritten by. So what leaves a stack is what
both say; where they differ, nothing leaves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from trivet.core.canonical import digest
from trivet.core.errors import GateRefused, IntegrityError, NotFound
from trivet.core.specs import Approval, ModelVersion
from trivet.governance.ledger import Entry
from trivet.governance.verification import verify
from trivet.platforms.versions import OURS
from trivet.workflows.bench import Bench
from trivet.workflows.release import Judged, judged_key


@dataclass(frozen=True)
class Vouched:
    """A version as registry, store and ledger have it."""

    version: ModelVersion
    tags: dict[str, str]
    judged: Judged | None  # none where no gate was asked
    approval: Approval | None  # with the time at which the ledger learnt of it
    evidence: tuple[Entry, ...]


def vouched(bench: Bench, reference: str) -> Vouched:
    """A version that may leave the stack.

    :raises IntegrityError: when the ledger was changed, or does not say what registry and store say.
    :raises GateRefused: when somebody rejected the version, or a gate said something else of it since.
    """
    _check_chain(bench)
    version = bench.platform.models.get(reference)
    tags = {key: value for key, value in version.tags.items() if not key.startswith(OURS)}
    document = _judged(bench, version)
    said = {"digest": version.digest, "author": version.author, "tags": tags}
    registered = _registered(bench, version, {**said, "judged": document and digest(document)})
    approval, evidence = _approval(bench, version)
    if approval and approval.status == "rejected":
        raise GateRefused(f"{version} was rejected by {approval.actor}: {approval.reason}")
    judged = Judged.parse(json.loads(document), "judged.json") if document else None
    if judged is not None:
        _check_gate(bench, version, judged)
    return Vouched(version, tags, judged, approval, (registered, *evidence))


def stack_of(bench: Bench) -> str:
    """The stack's name, with its project's."""
    return f"{bench.platform.outputs.project}/{bench.platform.outputs.stack}"


def _check_chain(bench: Bench) -> None:
    if problems := verify(bench.ledger).problems:
        raise IntegrityError(
            f"The ledger of {stack_of(bench)} is not sound: {' '.join(problems)}",
            "Find out who changed it, and keep both versions.",
        )


def _judged(bench: Bench, version: ModelVersion) -> bytes | None:
    try:
        return bench.platform.store.get(judged_key(version.digest))
    except NotFound:
        return None


def _registered(bench: Bench, version: ModelVersion, wanted: Mapping[str, object]) -> Entry:
    entries = list(bench.ledger.entries("registered", str(version)))
    if not entries or any(entries[-1].body.get(key) != value for key, value in wanted.items()):
        raise _unlike(bench, version, "registration")
    return entries[-1]


def _approval(bench: Bench, version: ModelVersion) -> tuple[Approval | None, list[Entry]]:
    """What was decided last; a person who was refused decided nothing."""
    entries = [one for one in bench.ledger.entries("approval", str(version)) if one.body["status"] != "refused"]
    held = version.approval.model_dump(mode="json", exclude={"time"}) if version.approval else {}
    last = {name: entries[-1].body.get(name) for name in held} if entries else {}
    if bool(entries) != bool(held) or held != last or (entries and entries[-1].body["digest"] != version.digest):
        raise _unlike(bench, version, "approval")
    if version.approval is None:
        return None, []
    return version.approval.model_copy(update={"time": entries[-1].time}), entries[-1:]


def _check_gate(bench: Bench, version: ModelVersion, judged: Judged) -> None:
    """:raises GateRefused: when a gate of this stack was asked again and said something else."""
    entries = list(bench.ledger.entries("gate", version.digest))
    if entries and entries[-1].body["verdict"] != judged.gate.verdict.value:
        raise GateRefused(
            f"The gate said {judged.gate.verdict} of {version} first, and {entries[-1].body['verdict']} since.",
            "Train and register again by the policy that holds now.",
        )


def _unlike(bench: Bench, version: ModelVersion, what: str) -> IntegrityError:
    return IntegrityError(
        f"The ledger of {stack_of(bench)} does not hold the {what} that its registry and store have of {version}.",
        "Find out who changed which; a version from before this version of Trivet is registered anew.",
    )
