"""The page to try the models: files that lie beside this one and ask nothing of any other host.

The browser may load scripts and styles from this server only, and nothing inline: what a model or a client says can
never become a part of the page.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

KINDS = {
    "/docs": ("page.html", b"text/html; charset=utf-8"),
    "/docs/page.css": ("page.css", b"text/css; charset=utf-8"),
    "/docs/page.js": ("page.js", b"text/javascript; charset=utf-8"),
    "/docs/answer.js": ("answer.js", b"text/javascript; charset=utf-8"),
    "/docs/icon.svg": ("page.svg", b"image/svg+xml"),
}
PATHS = tuple(KINDS)
POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    b"form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-cache"),
)


@cache
def asset(path: str) -> tuple[bytes, bytes, tuple[tuple[bytes, bytes], ...]]:
    """Body, content type and header fields of one of ``PATHS``."""
    name, kind = KINDS[path]
    return (Path(__file__).parent / name).read_bytes(), kind, HEADERS
