"""A project of the user's on AWS, as `trivet up` finds it, on the stand-ins."""

from __future__ import annotations

from pathlib import Path

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
PROGRAM = """
from trivet.infra.program import main

main()
"""


def write_project(root: Path, program: str = PROGRAM) -> Path:
    """A project root whose program is Trivet's own."""
    (root / "program").mkdir(parents=True)
    (root / "Pulumi.yaml").write_text("name: lending\nruntime: python\nmain: program/\n")
    (root / "program" / "__main__.py").write_text(program)
    return root
