"""Buckets whose objects may not be changed: what S3 demands of those who write into them.

Source: the sentences that S3 answers, in apache/arrow-rs-object-store#190 (objects) and s3tools/s3cmd#1436 (parts of
one). moto knows the first only, and does not take a checksum for one unless the header of an SDK names its algorithm.
"""

from __future__ import annotations

from typing import Any

UNCHECKED = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters"
_CHECKSUM = "HTTP_X_AMZ_CHECKSUM_"
_ALGORITHM = "HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM"
_CHECKED = ("HTTP_CONTENT_MD5", _ALGORITHM, "HTTP_X_AMZ_TRAILER")


def lacks_checksum(environ: dict[str, Any]) -> bool:
    """Whether a request to moto puts an object, or a part, into a bucket that locks it, and says no checksum of it;
    where it says one, moto is told so in its words."""
    if environ["REQUEST_METHOD"] != "PUT":
        return False
    said = [name.removeprefix(_CHECKSUM) for name in environ if name.startswith(_CHECKSUM)]
    if said:
        environ.setdefault(_ALGORITHM, said[0])
    bucket, _, key = environ.get("PATH_INFO", "").lstrip("/").partition("/")
    return bool(key) and _locks(bucket) and not any(name in environ for name in _CHECKED)


def _locks(bucket: str) -> bool:
    from moto.s3.models import s3_backends

    for account in s3_backends.values():
        if (found := account["aws"].buckets.get(bucket)) is not None:
            return bool(found.object_lock_enabled and found.default_lock_mode)
    return False
