"""Models and releases that go between AWS and this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from trivet.core.errors import NotReady
from trivet.core.specs import EndpointStatus
from trivet.rehearsal.rigs.aws import ENDPOINTS, AwsRig
from trivet.rehearsal.rigs.judged import BEN, register_judged
from trivet.rehearsal.rigs.local import LocalRig
from trivet.rehearsal.rigs.package import GOLDEN_ROWS, make_package
from trivet.workflows.bench import Bench, workbench
from trivet.workflows.compare import compare
from trivet.workflows.everywhere import deploy_everywhere
from trivet.workflows.promote import promote


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Bench]:
    """A stack of this machine."""
    with LocalRig(tmp_path / "here", "here", registry=True) as rig, workbench(rig.root, "here") as bench:
        yield bench


def test_a_model_goes_there_and_back_as_the_same_bytes(here: Bench, bench: Bench, tmp_path: Path) -> None:
    make_package(tmp_path / "package", intercept=7.25)
    version = register_judged(here, tmp_path / "package")
    there = promote(here, bench, str(version), name="across").version
    assert (there.name, there.digest, there.author) == ("across", version.digest, version.author)
    assert there.approval and there.approval.actor == BEN.name
    assert bench.platform.models.get("across").digest == version.digest
    back = promote(bench, here, "across").version
    assert (str(back), back.digest) == ("across/1", version.digest)
    [entry] = here.ledger.entries("promoted")
    assert isinstance(entry.body["from"], dict)
    assert (entry.body["from"]["cloud"], entry.body["from"]["version"]) == ("aws", "across/1")


def test_both_clouds_serve_a_release_or_neither(rig: AwsRig, here: Bench, bench: Bench, tmp_path: Path) -> None:
    for number, error in enumerate((0.0, 0.1)):
        make_package(tmp_path / str(number), intercept=8.25, golden_error=error)
        version = register_judged(here, tmp_path / str(number))
        assert str(promote(here, bench, str(version), name="both").version) == f"both/{number + 1}"
        promote(bench, here, f"both/{number + 1}")
    benches, endpoint = [here, bench], ENDPOINTS[0]
    rig.platform.endpoints.delete(endpoint)
    states = deploy_everywhere(benches, "both/1", endpoint)
    assert [state.status for state in states] == [EndpointStatus.READY] * 2
    with pytest.raises(NotReady, match="Every stack serves what it served before"):
        deploy_everywhere(benches, "both/2", endpoint)
    with pytest.raises(NotReady, match="Every stack serves what it served before"):
        deploy_everywhere(benches[::-1], "both/2", endpoint)
    for one in benches:
        assert [release.version for release in one.platform.endpoints.state(endpoint).releases] == [1]
    rows = tmp_path / "rows.csv"
    rows.write_text("amount,income\n" + "".join(f"{row['amount']},{row['income']}\n" for row in GOLDEN_ROWS))
    found = compare((here.platform, bench.platform), rows, (endpoint, endpoint))
    assert (found.agreed, found.largest_difference, found.same_package) == (2, 0.0, True)
    assert [side.cloud for side in found.sides] == ["local", "aws"]
    rig.platform.endpoints.delete(endpoint)
