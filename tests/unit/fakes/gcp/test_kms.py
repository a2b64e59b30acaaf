"""Cloud KMS as whoever signs with it meets it: over plain HTTP, since no SDK of it is installed."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import google_crc32c
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

RING = "/v1/projects/rehearsal-project/locations/europe-west3/keyRings"
SIGNING = {"purpose": "ASYMMETRIC_SIGN", "versionTemplate": {"algorithm": "EC_SIGN_P256_SHA256"}}
Ask = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def version(ask: Ask) -> str:
    """The path of a version that signs."""
    assert ask("POST", f"{RING}?keyRingId=ring", {})[0] == 200
    status, key = ask("POST", f"{RING}/ring/cryptoKeys?cryptoKeyId=signing", SIGNING)
    assert (status, key["purpose"]) == (200, "ASYMMETRIC_SIGN")
    return f"{RING}/ring/cryptoKeys/signing/cryptoKeyVersions/1"


def test_a_signature_is_that_of_the_public_key(ask: Ask, version: str) -> None:
    said = ask("GET", f"{version}/publicKey")[1]
    assert said["pemCrc32c"] == str(google_crc32c.value(said["pem"].encode()))
    public = serialization.load_pem_public_key(said["pem"].encode())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    digest = hashlib.sha256(b"manifest").digest()
    body = {"digest": {"sha256": base64.b64encode(digest).decode()}, "digestCrc32c": str(google_crc32c.value(digest))}
    status, signed = ask("POST", f"{version}:asymmetricSign", body)
    assert (status, signed["verifiedDigestCrc32c"], signed["protectionLevel"]) == (200, True, "SOFTWARE")
    signature = base64.b64decode(signed["signature"])
    assert signed["signatureCrc32c"] == str(google_crc32c.value(signature))
    public.verify(signature, b"manifest", ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        public.verify(signature, b"another", ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "Exactly one of digest and data"),
        ({"digest": {"sha256": "AAAA"}}, "has 3 bytes, not 32"),
        ({"digest": {"sha384": "AAAA"}}, "must be one of SHA-256"),
        ({"digest": {"md5": "AAAA"}}, 'Unknown name "md5"'),
        ({"digest": {"sha256": "?"}}, "Base64 decoding failed"),
        ({"digest": {"sha256": "A" * 43 + "="}, "digestCrc32c": "7"}, "did not match"),
        ({"message": "AAAA"}, 'Unknown name "message"'),
    ],
)
def test_what_cannot_be_signed_is_refused(ask: Ask, version: str, body: Any, said: str) -> None:
    status, answer = ask("POST", f"{version}:asymmetricSign", body)
    assert status == 400
    assert said in answer["error"]["message"]


def test_a_key_for_data_signs_nothing_and_shows_its_primary_version(ask: Ask, version: str) -> None:
    body = {"purpose": "ENCRYPT_DECRYPT", "rotationPeriod": "7776000s"}
    status, key = ask("POST", f"{RING}/ring/cryptoKeys?cryptoKeyId=data", body)
    assert (status, key["primary"]["state"]) == (200, "ENABLED")
    status, answer = ask("GET", f"{key['primary']['name'].replace('projects', '/v1/projects', 1)}/publicKey")
    assert (status, answer["error"]["status"]) == (400, "FAILED_PRECONDITION")


def test_names_are_taken_for_ever_and_a_destroyed_version_signs_no_more(ask: Ask, version: str) -> None:
    key = version.rpartition("/cryptoKeyVersions")[0]
    assert ask("POST", f"{RING}/ring/cryptoKeys?cryptoKeyId=signing", SIGNING)[0] == 409
    assert ask("POST", f"{RING}?keyRingId=ring", {})[0] == 409
    status, destroyed = ask("POST", f"{version}:destroy", {})
    assert (status, destroyed["state"]) == (200, "DESTROY_SCHEDULED")
    assert ask("GET", key)[0] == 200
    assert ask("GET", f"{version}/publicKey")[1]["error"]["status"] == "FAILED_PRECONDITION"
    assert ask("POST", f"{version}:restore", {})[1]["state"] == "DISABLED"
    assert ask("PATCH", f"{version}?updateMask=state", {"state": "ENABLED"})[1]["state"] == "ENABLED"
    assert ask("GET", f"{version}/publicKey")[0] == 200


@pytest.mark.parametrize(
    ("query", "body", "said"),
    [
        ("cryptoKeyId=a.b", SIGNING, "Invalid cryptoKeyId"),
        ("cryptoKeyId=a&color=red", SIGNING, 'Unknown name "color"'),
        ("cryptoKeyId=a", {"purpose": "ASYMMETRIC_SIGN"}, "version_template.algorithm is required"),
        ("cryptoKeyId=a", {}, "purpose: Field is required"),
        ("cryptoKeyId=a", {**SIGNING, "rotationPeriod": "7776000s"}, "not rotated"),
        ("cryptoKeyId=a", {"purpose": "ENCRYPT_DECRYPT", "rotationPeriod": "3600s"}, "at least 24 hours"),
        ("cryptoKeyId=a", {**SIGNING, "destroyScheduledDuration": "60s"}, "from 24 hours"),
        ("cryptoKeyId=a", {**SIGNING, "colour": "red"}, 'Unknown name "colour"'),
    ],
)
def test_a_key_that_cannot_be_is_refused(ask: Ask, version: str, query: str, body: Any, said: str) -> None:
    status, answer = ask("POST", f"{RING}/ring/cryptoKeys?{query}", body)
    assert status == 400
    assert said in answer["error"]["message"]


def test_what_is_not_there_and_what_is_another_s(ask: Ask, version: str) -> None:
    assert ask("GET", version.replace("signing", "other"))[0] == 404
    assert ask("GET", version.replace("/1", "/2"))[0] == 404
    assert ask("GET", version.replace("rehearsal-project", "elsewhere"))[0] == 403
    assert ask("POST", f"{version}:decrypt", {})[0] == 501
    assert [one["name"] for one in ask("GET", f"{RING}/ring/cryptoKeys")[1]["cryptoKeys"]] == [
        f"{RING.removeprefix('/v1/')}/ring/cryptoKeys/signing"
    ]
