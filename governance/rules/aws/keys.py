"""Keys: rotated, saved from deletion by a slip, and for nobody but the account."""

from __future__ import annotations

from collections.abc import Iterator

from trivet.governance.rules.base import Resource, Setting, rule
from trivet.governance.rules.documents import statements

KEY = "aws:kms/key:Key"
_SYMMETRIC = (None, "SYMMETRIC_DEFAULT")
_MOST_ROTATION_DAYS = 365
_LEAST_WINDOW_DAYS = 30


@rule("kms-rotation", "Keys that encrypt are rotated every year or sooner", "Security Hub KMS.4; CIS AWS 7.0 4.6",
      "high", KEY)  # fmt: skip
def rotation(resource: Resource, _: Setting) -> Iterator[str]:
    """Keys that sign cannot be rotated by AWS."""
    if resource.inputs.get("customerMasterKeySpec") not in _SYMMETRIC:
        return
    if resource.inputs.get("enableKeyRotation") is not True:
        yield "it is not rotated"
    elif (resource.inputs.get("rotationPeriodInDays") or _MOST_ROTATION_DAYS) > _MOST_ROTATION_DAYS:
        yield f"it is rotated only every {resource.inputs['rotationPeriodInDays']:g} days"


@rule("kms-window", "A key can be saved for 30 days after it was to be deleted", "Security Hub KMS.3", "medium", KEY)
def window(resource: Resource, setting: Setting) -> Iterator[str]:
    days = resource.inputs.get("deletionWindowInDays") or _LEAST_WINDOW_DAYS
    if setting.binds and setting.environment != "dev" and days < _LEAST_WINDOW_DAYS:
        yield f"it is gone after {days:g} days"


@rule("kms-policy", "A key's policy names who may use it", "Security Hub KMS.5", "critical", KEY)
def policy(resource: Resource, _: Setting) -> Iterator[str]:
    if not resource.inputs.get("policy"):
        yield "it has no policy"
    for one in statements(resource.inputs.get("policy")):
        if one.allows and (one.is_for_anybody or one.is_inverted):
            yield "its policy lets anybody in"
