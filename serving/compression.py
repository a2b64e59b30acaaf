"""gzip and deflate on the wire, with a cap on what a body expands to."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from trivet.serving.errors import BadInput, TooLarge, WrongEncoding

WINDOWS = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}  # zlib's numbers for a gzip and for a zlib frame
WORTH = 1400  # bytes, about one packet: below, compression only costs
LEVEL = 1


def encoding_of(fields: Mapping[bytes, bytes]) -> bytes:
    """The content coding of a request, empty for none.

    :raises WrongEncoding: for one that this server does not take.
    """
    if b"content-encoding" not in fields:
        return b""
    coding = fields[b"content-encoding"].strip().lower()
    if coding in (b"", b"identity"):
        return b""
    if coding not in WINDOWS:
        raise WrongEncoding("This server takes bodies as they are, in gzip or in deflate.", "Send it in one of them.")
    return coding


def expand(body: bytes, coding: bytes, limit: int) -> bytes:
    """The body without its coding; no more than ``limit`` bytes are ever made of it.

    :raises TooLarge: when there would be more.
    :raises BadInput: when it is no whole body in that coding.
    """
    stream = zlib.decompressobj(WINDOWS[coding])
    try:
        expanded = stream.decompress(body, limit + 1)
    except zlib.error as error:
        raise BadInput(f"The body is no {coding.decode()}: {error}.") from error
    if len(expanded) > limit:
        raise TooLarge(f"The body expands to more than the {limit} bytes that this server takes.", "Send fewer rows.")
    if not stream.eof or stream.unused_data:
        raise BadInput(f"The body is no whole {coding.decode()} stream.")
    return expanded


def accepted_by(fields: Mapping[bytes, bytes]) -> bytes:
    """The coding in which a client wants its response, empty for none."""
    for part in fields.get(b"accept-encoding", b"").split(b","):
        coding, _, weight = part.strip().lower().partition(b";")
        if coding.strip() in (b"gzip", b"deflate") and weight.replace(b" ", b"").rstrip(b"0.") != b"q=":
            return coding.strip()
    return b""


def compress(body: bytes, coding: bytes) -> bytes:
    """The body in a coding."""
    stream = zlib.compressobj(LEVEL, zlib.DEFLATED, WINDOWS[coding])
    return stream.compress(body) + stream.flush()
