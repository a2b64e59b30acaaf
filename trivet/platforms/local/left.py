"""What is left of a stack on this machine: what lies in its folder."""

from __future__ import annotations

from trivet.core.leftovers import Left, Place


def audit(place: Place) -> list[Left]:
    """Everything in the stack's folder, where all that it has on this machine lies."""
    if not place.home.is_dir():
        return []
    return [
        Left(
            kind="folder" if path.is_dir() else "file",
            id=str(path),
            state="there",
            until=None,
            note="stays until the stack is destroyed or somebody deletes it",
            release=f"trivet destroy --stack {place.stack}",
        )
        for path in sorted(place.home.iterdir())
    ]
