"""Delete markers in a bucket whose versioning was suspended: moto cannot let go of them, and answers 500.

Such is every bucket of a stack while it is destroyed, as soon as anything in it was ever deleted.
"""

from __future__ import annotations

from typing import Any

from moto.s3.models import FakeDeleteMarker


def mend() -> None:
    """Have a marker go as an object does; it holds nothing that would have to be closed."""
    FakeDeleteMarker.dispose = _dispose  # type: ignore[attr-defined]


def _dispose(_marker: Any) -> None:
    pass
