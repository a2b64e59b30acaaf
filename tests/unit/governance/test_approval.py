"""Who may let what through."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.core.errors import ConfigError, ExitCode, GateRefused
from trivet.core.findings import Verdict
from trivet.core.policy import Policy, Profile
from trivet.core.specs import Approval
from trivet.governance.approval import Person, admit, decide

from .conftest import NOW, report_of

BEN = Person("ben", "operating-system account ben (uid 1001)", "Read the report; the reserve covers it.")


def approve(policy: Policy, profile: Profile, verdict: Verdict, person: Person | None = None) -> Approval:
    return decide(report_of(verdict), policy, profile, version="loan/3", author="ada", now=NOW, person=person)


def test_in_dev_the_policy_accepts_an_inconclusive_and_says_why(policy: Policy) -> None:
    found = approve(policy, "dev", Verdict.INCONCLUSIVE)
    assert (found.actor, found.status, found.time) == ("policy:dev", "approved", NOW)
    assert policy.approval["dev"].reason in found.reason
    assert "The gate says inconclusive. The selection ratio of black against white is 0.83." in found.reason
    assert policy.content_digest() in found.identity


@pytest.mark.parametrize("profile", ["staging", "prod", "regulated"])
def test_elsewhere_a_person_must(policy: Policy, profile: Profile) -> None:
    with pytest.raises(GateRefused, match=r"waits for a person.*Somebody other than ada.*models approve loan/3"):
        approve(policy, profile, Verdict.PASS)
    found = approve(policy, profile, Verdict.INCONCLUSIVE, BEN)
    assert (found.actor, found.reason, found.identity) == (BEN.name, BEN.reason, BEN.identity)


@pytest.mark.parametrize("name", ["ada", " Ada ", "ADA"])
def test_nobody_approves_what_they_made(policy: Policy, name: str) -> None:
    with pytest.raises(GateRefused, match="ada made loan/3 and may not approve it") as refused:
        approve(policy, "regulated", Verdict.PASS, Person(name, "account", "It is good, I made it."))
    assert refused.value.exit_code is ExitCode.GATE


@pytest.mark.parametrize("profile", get_args(Profile))
@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.INSUFFICIENT])
def test_a_fail_and_an_insufficient_go_nowhere(policy: Policy, profile: Profile, verdict: Verdict) -> None:
    with pytest.raises(GateRefused, match=f"The gate says {verdict} of loan/3"):
        approve(policy, profile, verdict, BEN)
    with pytest.raises(GateRefused, match="The selection ratio of black"):
        approve(policy, profile, verdict)


@pytest.mark.parametrize("verdict", Verdict)
def test_what_no_rule_could_approve_is_refused_before_it_is_registered(policy: Policy, verdict: Verdict) -> None:
    rule = policy.approval["prod"]
    if verdict.value in rule.accepts:
        assert admit(report_of(verdict), policy, "prod", "loan") == rule
    else:
        with pytest.raises(GateRefused, match=f"The gate says {verdict} of loan"):
            admit(report_of(verdict), policy, "prod", "loan")


def test_a_profile_without_a_rule_approves_nothing(policy: Policy) -> None:
    silent = policy.model_copy(update={"approval": {}})
    with pytest.raises(GateRefused, match="says nothing about approval in prod"):
        approve(silent, "prod", Verdict.PASS, BEN)


@pytest.mark.parametrize(("name", "reason"), [("", "good enough"), ("policy:dev", "good enough"), ("ben", "  ok ")])
def test_a_person_has_a_name_and_a_reason(policy: Policy, name: str, reason: str) -> None:
    with pytest.raises(ConfigError):
        approve(policy, "prod", Verdict.PASS, Person(name, "account", reason))


@given(
    st.sampled_from(Verdict),
    st.sampled_from(get_args(Profile)),
    st.none() | st.builds(Person, st.text(), st.text(), st.text()),
)
def test_whatever_is_approved_the_rule_allows(
    policy: Policy, verdict: Verdict, profile: Profile, person: Person | None
) -> None:
    try:
        found = approve(policy, profile, verdict, person)
    except (GateRefused, ConfigError):
        return
    rule = policy.approval[profile]
    assert verdict.value in rule.accepts
    assert found.actor.casefold() != "ada"
    assert person is not None or rule.by == "policy"
