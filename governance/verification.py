"""Verification of the ledger: the chain, the anchors, and the record segments that it sealed."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic import TypeAdapter, ValidationError

from trivet.core.canonical import canonical_json, digest_json
from trivet.core.document import Document
from trivet.core.errors import IntegrityError
from trivet.governance.ledger import COLUMNS, GENESIS, Ledger

AT_ONCE = 8  # segments that are hashed at a time
PrefixDigests = Callable[[str, Sequence[int]], Sequence[str | None]]
"""Name of a segment and sizes, ascending → digest of that many first bytes each; ``None`` where it is shorter."""


class SealedSegment(Document):
    """How far a segment of records was written when it was sealed; the body of a ``records`` entry lists these."""

    name: str
    size: int
    rows: int
    digest: str


class Verification(Document):
    """What a verification found."""

    entries: int
    head: str
    anchored: int
    segments: int
    problems: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return not self.problems


_SEALED = TypeAdapter(tuple[SealedSegment, ...])


def verify(ledger: Ledger, prefix_digests: PrefixDigests | None = None) -> Verification:
    """Recompute the chain, compare it with the anchors and, given a way to, hash the sealed segments again.

    ``anchored`` is the number of the newest anchored entry: what follows it, at most what was written since the last
    crash, is held by the chain alone.
    """
    try:
        rows = list(ledger.rows())
    except IntegrityError as error:
        return Verification(entries=0, head="", anchored=0, segments=0, problems=(error.message,))
    hashes = {row[0]: row[-1] for row in rows}
    anchors = [_anchor(name) for name in ledger.anchors()]
    sealed = _sealed(rows)
    problems = [*_chain(rows), *_against_anchors(hashes, anchors)]
    if prefix_digests:
        problems += _segments(sealed, prefix_digests)
    return Verification(
        entries=len(rows),
        head=rows[-1][-1] if rows else GENESIS,
        anchored=max((seq for seq, _ in anchors), default=0),
        segments=len(sealed) if prefix_digests else 0,
        problems=tuple(problems),
    )


def _chain(rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    previous = GENESIS
    for expected, row in enumerate(rows, start=1):
        entry = _read(row)
        if row[0] != expected:
            yield f"Entry {row[0]} stands where entry {expected} belongs: entries were removed or moved."
        if entry is None or entry["hash"] != digest_json({key: entry[key] for key in COLUMNS if key != "hash"}):
            yield f"Entry {row[0]} was changed: its hash is not that of its content."
        if row[-2] != previous:
            yield f"Entry {row[0]} does not follow on the entry before it: one of the two was exchanged."
        previous = row[-1]


def _read(row: tuple[Any, ...]) -> dict[str, Any] | None:
    """The entry of a row whose body is the canonical JSON of an object; ``None`` for any other."""
    values = dict(zip(COLUMNS, row, strict=True))
    try:
        body = json.loads(values["body"])
        canonical = canonical_json(body).decode()
    except (TypeError, ValueError):
        return None
    return values | {"body": body} if canonical == values["body"] else None


def _anchor(name: str) -> tuple[int, str]:
    seq, _, digest = name.partition("-")
    return (int(seq) if seq.isdecimal() else 0), f"sha256:{digest}"


def _against_anchors(hashes: dict[int, str], anchors: list[tuple[int, str]]) -> Iterator[str]:
    for seq, digest in anchors:
        if seq not in hashes:
            yield f"Entry {seq} was anchored and is not there: the ledger was cut or exchanged."
        elif hashes[seq] != digest:
            yield f"Entry {seq} is not the one that was anchored: the ledger was written anew."


def _sealed(rows: Iterable[tuple[Any, ...]]) -> dict[str, dict[int, str]]:
    """Per segment, the digest of each sealed size."""
    found: dict[str, dict[int, str]] = defaultdict(dict)
    for row in rows:
        entry = _read(row)
        if entry and entry["kind"] == "records":
            for segment in _segments_of(entry["body"]):
                found[segment.name][segment.size] = segment.digest
    return found


def _segments_of(body: Any) -> tuple[SealedSegment, ...]:
    try:
        return _SEALED.validate_python(body["segments"])
    except (KeyError, TypeError, ValidationError):
        return ()


def _segments(sealed: dict[str, dict[int, str]], prefix_digests: PrefixDigests) -> Iterator[str]:
    sizes = {name: sorted(wanted) for name, wanted in sealed.items()}
    with ThreadPoolExecutor(AT_ONCE) as pool:  # they may lie elsewhere
        digests = dict(zip(sizes, pool.map(prefix_digests, sizes, sizes.values()), strict=True))
    for name, wanted in sealed.items():
        for size, found in zip(sizes[name], digests[name], strict=True):
            if found is None:
                yield f"Records {name} are missing or shorter than the {size:,} bytes that were sealed."
            elif found != wanted[size]:
                yield f"Records {name} were changed within their first {size:,} bytes since they were sealed."
