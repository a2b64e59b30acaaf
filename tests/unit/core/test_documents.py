"""The strict readers of the seams: what is wrong is named, all of it at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivet.clouds import CLOUDS, cloud
from trivet.core.canonical import canonical_json, digest, digest_file
from trivet.core.capabilities import Capability, Support
from trivet.core.datacontract import DataContract
from trivet.core.errors import ConfigError, ExitCode, TrivetError, Unsupported
from trivet.core.findings import Verdict, worst
from trivet.core.inference import decided, reasons, request_of
from trivet.core.modelpackage import Decision, Input, Serving
from trivet.core.platform import needs
from trivet.core.policy import ApprovalRule, Bound
from trivet.core.records import Label, parse_record, read_records
from trivet.core.refs import ModelRef
from trivet.core.specs import AwsEndpoint, EndpointSpec, JobSpec, Release, WorkflowSpec

CONTRACT = {
    "name": "loans",
    "columns": [
        {"name": "income", "type": "number", "minimum": 0, "tags": ["personal"]},
        {"name": "married", "type": "integer", "tags": ["protected"]},
        {"name": "action", "type": "integer", "tags": ["leak"]},
        {"name": "approve", "type": "integer", "tags": ["target"]},
    ],
}


def test_features_are_what_nothing_bars() -> None:
    contract = DataContract.parse(CONTRACT, "contract.yaml")
    assert contract.features == ("income",)
    assert contract.target == "approve"
    assert DataContract.model_validate_json(contract.canonical()) == contract


def test_every_mistake_is_named_at_once() -> None:
    broken = {**CONTRACT, "colour": "red", "columns": [{"name": "1x", "type": "money"}, CONTRACT["columns"][3]]}
    with pytest.raises(ConfigError) as caught:
        DataContract.parse(broken, "contract.yaml")
    for part in ("contract.yaml", "colour", "columns.0.name", "columns.0.type"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"columns": CONTRACT["columns"][:3]}, "exactly one column"),
        ({"columns": [*CONTRACT["columns"], CONTRACT["columns"][0]]}, "named twice"),
        ({"checks": [{"check": "implies", "columns": ["nowhere"]}]}, "unknown columns"),
        ({"columns": [{"name": "a", "type": "number", "minimum": 2, "maximum": 1}, CONTRACT["columns"][3]]}, "above"),
    ],
)
def test_a_contract_agrees_with_itself(change: dict, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        DataContract.parse({**CONTRACT, **change}, "contract.yaml")


def test_canonical_json_is_one_text_per_value() -> None:
    assert canonical_json({"b": 1, "a": [True, None, "é"]}) == '{"a":[true,null,"é"],"b":1}'.encode()
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))


def test_a_file_has_the_digest_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * (1 << 21))
    assert digest_file(tmp_path / "f") == digest(b"x" * (1 << 21))


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("loan", ModelRef("loan")),
        ("loan/3", ModelRef("loan", version=3)),
        ("models:/loan/3", ModelRef("loan", version=3)),
        ("models:/loan@champion", ModelRef("loan", alias="champion")),
    ],
)
def test_a_model_is_named_in_three_ways(text: str, ref: ModelRef) -> None:
    assert ModelRef.parse(text) == ref
    assert ModelRef.parse(str(ref)) == ref


@pytest.mark.parametrize("text", ["", "../x", "loan/three", "loan/1/2", "a b", "loan@"])
def test_other_names_are_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        ModelRef.parse(text)


def test_exit_codes_are_those_of_the_table() -> None:
    def tree(kind: type[TrivetError]) -> list[type[TrivetError]]:
        return [kind, *(leaf for child in kind.__subclasses__() for leaf in tree(child))]

    found = {kind.__name__: int(kind.exit_code) for kind in tree(TrivetError)}
    assert found["DataContractBroken"] == 4
    assert found["GateRefused"] == 5
    assert found["Locked"] == 6
    assert found["Unsupported"] == 7
    assert set(found.values()) <= set(map(int, ExitCode))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"rollout": "linear", "step": 5}, "at least 10 percent"),
        ({"rollout": "linear", "step": 10, "bake": timedelta(hours=1)}, "7 hours"),
    ],
)
def test_a_rollout_that_sagemaker_cannot_do_is_refused(fields: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        AwsEndpoint.parse(fields, "native.aws")
    AwsEndpoint.parse(fields | {"step": 20, "bake": timedelta(minutes=30)}, "native.aws")


def test_a_cloud_refuses_what_it_does_not_claim_with_its_reason() -> None:
    local = cloud("local")
    refused = [name for name, claim in local.claims.items() if claim.support is Support.REFUSED]
    assert refused
    for name in refused:
        with pytest.raises(Unsupported, match=str(name)) as caught:
            local.check(name)
        assert local.claims[name].note in str(caught.value)
    local.check(*(set(Capability) - set(refused)))
    with pytest.raises(ConfigError, match="local"):
        cloud("heaven")
    assert list(CLOUDS) == sorted(CLOUDS)


RELEASE = Release(model="loan", version=1, digest="sha256:" + "0" * 64)


def test_a_spec_says_what_it_needs() -> None:
    plain = EndpointSpec(name="loan", releases=(RELEASE,))
    assert needs(plain) == [Capability.ENDPOINTS]
    split = RELEASE.model_copy(update={"traffic": 50})
    demanding = EndpointSpec(
        name="loan", releases=(split, split), shadow=RELEASE, minimum_instances=0, maximum_instances=3
    )
    assert set(needs(demanding)) == {
        Capability.ENDPOINTS,
        Capability.TRAFFIC_SPLIT,
        Capability.SHADOW_TRAFFIC,
        Capability.SCALE_TO_ZERO,
        Capability.AUTOSCALING,
    }
    assert needs(WorkflowSpec.parse({"name": "w", "command": ["x"], "every": "P1D"}, "w"))[1] is Capability.SCHEDULES
    assert needs(JobSpec(name="j", source="s", command=("python",), output="o")) == [Capability.JOBS]
    with pytest.raises(ValueError, match="adds up"):
        EndpointSpec(name="loan", releases=(split,))


def test_the_gate_is_closed_by_default() -> None:
    assert worst([]) is Verdict.INSUFFICIENT
    assert worst([Verdict.PASS, Verdict.INCONCLUSIVE]) is Verdict.INCONCLUSIVE
    assert worst([Verdict.INSUFFICIENT, Verdict.FAIL, Verdict.PASS]) is Verdict.FAIL


def test_a_policy_explains_itself() -> None:
    with pytest.raises(ValueError, match="either"):
        Bound(source="a study")
    with pytest.raises(ValueError, match="needs a reason"):
        ApprovalRule(by="policy")


SERVING = Serving(
    name="loan",
    inputs=(Input(name="income", type="number"), Input(name="purpose", type="category")),
    decision=Decision(threshold=0.5),
)


def test_rows_become_a_request_of_one_tensor_a_column() -> None:
    request = request_of([{"income": 1.5, "purpose": "car", "more": 1}], SERVING, "r1")
    assert request["id"] == "r1"
    assert [(one["name"], one["shape"], one["datatype"], one["data"]) for one in request["inputs"]] == [
        ("income", [1, 1], "FP32", [1.5]),
        ("purpose", [1, 1], "BYTES", ["car"]),
    ]
    with pytest.raises(ConfigError, match="Row 0 lacks purpose"):
        request_of([{"income": 1.5}], SERVING)


def test_a_response_becomes_decisions_with_reasons() -> None:
    response = {
        "id": "r1",
        "outputs": [
            {"name": "score", "data": [0.9, 0.2]},
            {"name": "decision", "data": ["yes", "no"]},
            {"name": "contributions", "data": [0.5, 0.1, -2.0, -0.1]},
        ],
    }
    first, second = decided(response, ["income", "purpose"])
    assert (first.id, first.decision, first.reasons) == ("r1#0", "yes", ())
    assert second.reasons == (("income", -2.0), ("purpose", -0.1))


@given(st.lists(st.floats(-10, 10), max_size=9))
def test_reasons_are_at_most_four_and_only_against(contributions: list[float]) -> None:
    found = reasons(contributions, [f"x{n}" for n in range(9)])
    assert len(found) == min(4, sum(value < 0 for value in contributions))
    assert [value for _, value in found] == sorted(value for _, value in found)


def test_a_torn_last_line_is_no_record(tmp_path: Path) -> None:
    label = Label(id="r1", time=datetime.now(UTC), label="yes")
    line = label.model_dump_json().encode() + b"\n"
    (tmp_path / "label-1.jsonl").write_bytes(line + line[:-9])
    assert list(read_records(tmp_path, "label")) == [label]
    with pytest.raises(ValueError, match="not a record"):
        parse_record(b"{}\n")
