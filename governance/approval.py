"""Who may let a model version through: the approval rule of a profile, applied."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from trivet.core.errors import ConfigError, GateRefused
from trivet.core.findings import GateReport
from trivet.core.policy import ApprovalRule, Policy, Profile
from trivet.core.specs import Approval

POLICY_ACTOR = "policy:"
SHORTEST_REASON = 3


@dataclass(frozen=True)
class Person:
    """Somebody who approves: their name, how it was established that it is theirs, and why they approve."""

    name: str
    identity: str
    reason: str


def decide(
    report: GateReport,
    policy: Policy,
    profile: Profile,
    *,
    version: str,
    author: str,
    now: datetime,
    person: Person | None = None,
    stack: str = "",
) -> Approval:
    """Approve ``version`` as the profile's rule allows, by ``person`` or, without one, by the policy itself.

    :param stack: where it is registered, for who is told what to run.

    The approval by policy is recorded as the actor ``policy:<profile>``, with the policy's own reason and the gate's.

    :raises GateRefused: when the verdict may not be approved, or not by this one; the sentence says who must do what.
    :raises ConfigError: when the person gives no name or reason.
    """
    rule = admit(report, policy, profile, version)
    if person is not None:
        return _by_person(person, rule, version, author, now, stack)
    if rule.by == "policy":
        return _by_policy(report, rule, policy, profile, now)
    who = f"Somebody other than {author}" if rule.not_the_author else "Somebody"
    raise GateRefused(
        f"{version} waits for a person: the policy for {profile} approves nothing by itself, "
        f"and the gate says {report.verdict}.",
        f"{who} reads the release report and runs `{command(version, stack)}`.",
    )


def command(version: str, stack: str = "") -> str:
    """What somebody runs who approves it: numbers are each registry's own, so the stack belongs to it."""
    return f"trivet models approve {version} --reason '...'{f' --stack {stack}' if stack else ''}"


def check_reason(version: str, reason: str) -> None:
    """:raises ConfigError: for a reason that tells nobody anything."""
    if len(reason.strip()) < SHORTEST_REASON:
        raise ConfigError(
            f"A decision about {version} needs a reason of at least {SHORTEST_REASON} characters.",
            "Give --reason '...'.",
        )


def admit(report: GateReport, policy: Policy, profile: Profile, version: str) -> ApprovalRule:
    """The profile's rule, if it lets the gate's verdict be approved at all; to be asked before anything is registered.

    :raises GateRefused: when it does not.
    """
    rule = policy.approval.get(profile)
    if rule is None:
        raise GateRefused(
            f"The policy says nothing about approval in {profile}, so nothing is approved there.",
            f"{policy.owner} adds approval.{profile} to policy.yaml.",
        )
    if report.verdict.value not in rule.accepts:  # a fail is in none
        raise GateRefused(
            f"The gate says {report.verdict} of {version}, and for {profile} the policy accepts "
            f"{' and '.join(rule.accepts)} only. {' '.join(report.reasons)}".strip(),
            "Change the data, the features or the threshold and train again; the policy is its owner's to change.",
        )
    return rule


def _by_policy(report: GateReport, rule: ApprovalRule, policy: Policy, profile: Profile, now: datetime) -> Approval:
    return Approval(
        actor=f"{POLICY_ACTOR}{profile}",
        status="approved",
        reason=" ".join((rule.reason, f"The gate says {report.verdict}.", *report.reasons)),
        identity=f"policy file {policy.content_digest()}, owned by {policy.owner}",
        time=now,
    )


def _by_person(person: Person, rule: ApprovalRule, version: str, author: str, now: datetime, stack: str) -> Approval:
    name, reason = person.name.strip(), person.reason.strip()
    if not name or name.startswith(POLICY_ACTOR):
        raise ConfigError(f"{person.name!r} is no person's name.", "Set TRIVET_ACTOR to one.")
    check_reason(version, reason)
    if rule.not_the_author and name.casefold() == author.strip().casefold():
        raise GateRefused(
            f"{author} made {version} and may not approve it as well.",
            f"Ask somebody else to run `{command(version, stack)}`.",
        )
    return Approval(actor=name, status="approved", reason=reason, identity=person.identity, time=now)
