"""A project of the user's on AWS, as `trivet up` finds it, on the stand-ins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from trivet.clouds.awsnames import NAMING
from trivet.clouds.local import LOCAL

ACCOUNT = "123456789012"
STACK = "dev-rehearsal"
CONFIG = {
    "cloud": "aws",
    "environment": "dev",
    "region": "eu-central-1",
    "account": ACCOUNT,
    "endpoints": '["loan"]',
    "repository": "acme/models",
}
AWS = replace(
    LOCAL,
    name="aws",
    title="AWS",
    extra="aws",
    regions=("eu-central-1",),
    naming=NAMING,
    left="trivet.platforms.aws.left:audit",
)
PROGRAM = """
from dataclasses import replace

from trivet.clouds.awsnames import NAMING
from trivet.clouds.local import LOCAL
from trivet.infra import settings

# Until the platform passes the conformance suite, no user can choose it.
settings.CLOUDS = {**settings.CLOUDS, "aws": replace(LOCAL, name="aws", regions=("eu-central-1",), naming=NAMING)}

from trivet.infra.program import main

main()
"""


def write_project(root: Path, program: str = PROGRAM) -> Path:
    """A project root whose program is Trivet's own."""
    (root / "program").mkdir(parents=True)
    (root / "Pulumi.yaml").write_text("name: lending\nruntime: python\nmain: program/\n")
    (root / "program" / "__main__.py").write_text(program)
    return root
