"""What stands in the way of destroying a stack, what outlives it, and how to let go of each."""

from __future__ import annotations

from typing import Any

import pytest

from trivet.core.errors import ExitCode
from trivet.infra.holds import Held, holds
from trivet.infra.listing import Listed


def why(kind: str, *, protect: bool = False, retain: bool = False, **inputs: Any) -> list[tuple[str, bool]]:
    """Reasons, and whether each is in the way."""
    found = holds([Listed(kind, "one", inputs, protect, retain, "id-1")])
    assert all(one.release and one.id == "id-1" for one in found)
    return [(one.why, one.blocks) for one in found]


BUCKET, DATABASE, KEY = "aws:s3/bucket:Bucket", "aws:rds/instance:Instance", "aws:kms/key:Key"
REPOSITORY, SECRET = "aws:ecr/repository:Repository", "aws:secretsmanager/secret:Secret"


@pytest.mark.parametrize(
    ("kind", "inputs", "expected"),
    [
        (BUCKET, {}, [("it may hold objects", True)]),
        (
            "gcp:sql/databaseInstance:DatabaseInstance",
            {
                "settings": {
                    "retainBackupsOnDelete": True,
                    "finalBackupConfig": {"enabled": True, "retentionDays": 365},
                }
            },
            [
                ("its automated backups stay for their time", False),
                ("a last backup is made, and stays for 365 days", False),
                ("its name is not given again for a week", False),
            ],
        ),
        (BUCKET, {"forceDestroy": True}, []),
        (
            BUCKET,
            {"forceDestroy": True, "objectLockEnabled": True},
            [("its objects are locked, and nobody can delete one before its time", True)],
        ),
        (REPOSITORY, {}, [("it may hold images", True)]),
        (REPOSITORY, {"forceDelete": True}, []),
        (DATABASE, {"skipFinalSnapshot": True}, []),
        (
            DATABASE,
            {"deletionProtection": True, "skipFinalSnapshot": True},
            [("RDS protects it from deletion", True)],
        ),
        (DATABASE, {"finalSnapshotIdentifier": "last"}, [("a last snapshot of it stays: last", False)]),
        (
            DATABASE,
            {"skipFinalSnapshot": True, "deleteAutomatedBackups": False},
            [("its automated backups stay for their time", False)],
        ),
        (KEY, {"deletionWindowInDays": 7}, [("it is deleted 7 days later, and costs nothing until then", False)]),
        (KEY, {}, [("it is deleted 30 days later, and costs nothing until then", False)]),
        (SECRET, {"recoveryWindowInDays": 7}, [("it can be restored for 7 days", False)]),
        (SECRET, {"recoveryWindowInDays": 0}, []),
        ("aws:iam/role:Role", {}, []),
        ("other:index:Thing", {}, []),
    ],
)
def test_each_kind_says_what_it_holds_on_to(kind, inputs, expected):
    assert why(kind, **inputs) == expected


def test_pulumi_s_own_protection_and_retention_are_told_of_any_kind():
    assert why("other:index:Thing", protect=True) == [("protected in Pulumi", True)]
    assert why("other:index:Thing", retain=True) == [("kept when the stack is destroyed", False)]
    # What is kept is not deleted: nothing that AWS would say of a deletion is in the way.
    assert why(BUCKET, retain=True, objectLockEnabled=True) == [("kept when the stack is destroyed", False)]


def test_the_error_says_how_many_and_what_to_do_and_ends_with_the_exit_code_of_config():
    found = holds([Listed(BUCKET, "store", {}, True), Listed(KEY, "key", {})])
    error = Held("prod", found)
    assert error.exit_code == ExitCode.CONFIG and error.holds == tuple(found)
    assert "protects 1 of its resources" in error.message and "store" in error.message and "key" not in error.message
    assert error.next_step == "Release them with `trivet up --config protect=false --stack prod`, then call again."


def test_a_state_is_read_as_pulumi_exports_it():
    entry = {
        "urn": "urn:pulumi:prod::p::trivet:aws:Stack$aws:s3/bucket:Bucket::store", "type": BUCKET, "id": "b",
        "inputs": {"bucket": "b"}, "protect": True, "retainOnDelete": True,
    }  # fmt: skip
    assert Listed.from_state(entry) == Listed(BUCKET, "store", {"bucket": "b"}, True, True, "b")
