"""The C library's heap, told not to give back between two requests what each of them needs."""

from __future__ import annotations

import ctypes
from contextlib import suppress

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3  # glibc's numbers, malloc.h
KEPT = 16 << 20  # bytes that may lie free at the heap's end
GROWTH = 1 << 20
ON_ITS_OWN = 1 << 20  # an allocation as large as this is the kernel's again once it is free


def keep_freed_memory() -> None:
    """Where the C library is glibc, which by itself gives back its heap's end from 128 KiB on and takes it again, page
    fault by page fault, with the next request."""
    with suppress(AttributeError, OSError):
        library = ctypes.CDLL(None)
        for parameter, value in ((TRIM_THRESHOLD, KEPT), (TOP_PAD, GROWTH), (MMAP_THRESHOLD, ON_ITS_OWN)):
            library.mallopt(parameter, value)
