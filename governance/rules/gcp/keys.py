"""Keys: rotated, not gone at once, and for nobody but those who are named."""

from __future__ import annotations

from collections.abc import Iterator

from trivet.governance.rules.base import Resource, Setting, rule
from trivet.governance.rules.gcp.identity import strangers

KEY = "gcp:kms/cryptoKey:CryptoKey"
MEMBERS = (
    "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember",
    "gcp:kms/cryptoKeyIAMBinding:CryptoKeyIAMBinding",
    "gcp:kms/keyRingIAMMember:KeyRingIAMMember",
    "gcp:kms/keyRingIAMBinding:KeyRingIAMBinding",
)
_ROTATION_S, _LEAST_S, _BINDING_S = 90 * 86_400, 86_400, 30 * 86_400


@rule("gkms-rotation", "Keys are rotated every 90 days", "CIS GCP 5.0 1.11", "high", KEY)
def rotation(resource: Resource, _: Setting) -> Iterator[str]:
    """But not those that sign, which Google does not turn."""
    if resource.inputs.get("purpose") == "ASYMMETRIC_SIGN":
        return
    period = str(resource.inputs.get("rotationPeriod") or "")
    if not period or _seconds(period) > _ROTATION_S:
        yield f"it is rotated {f'every {period}' if period else 'never'}"


@rule("gkms-window", "A key can be saved for a month", "Cloud KMS, destroyed state", "high", KEY)
def window(resource: Resource, setting: Setting) -> Iterator[str]:
    said = _seconds(str(resource.inputs.get("destroyScheduledDuration") or f"{_BINDING_S}s"))
    if said < (_LEAST_S if setting.environment == "dev" else _BINDING_S):
        yield f"it is gone after {said // 86_400} days"


@rule("gkms-hardware", "Keys of prod lie in hardware", "FIPS 140-2 level 3", "medium", KEY)
def hardware(resource: Resource, setting: Setting) -> Iterator[str]:
    level = (resource.inputs.get("versionTemplate") or {}).get("protectionLevel")
    if (setting.environment == "prod" or setting.regulated) and level != "HSM":
        yield f"it is {level or 'SOFTWARE'}"


@rule("gkms-members", "No key is for anybody", "CIS GCP 5.0 1.10", "critical", *MEMBERS)
def members(resource: Resource, _: Setting) -> Iterator[str]:
    if found := strangers(resource):
        yield f"{found} may use it"


def _seconds(period: str) -> int:
    return int(float(period.removesuffix("s")))
