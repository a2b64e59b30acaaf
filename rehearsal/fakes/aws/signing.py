"""Signatures as KMS makes them: moto takes a digest for a message, and digests it again."""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from moto.kms.exceptions import ValidationException
from moto.kms.responses import KmsResponse

SCHEMES: dict[str, hashes.HashAlgorithm] = {
    "ECDSA_SHA_256": hashes.SHA256(),
    "ECDSA_SHA_384": hashes.SHA384(),
    "ECDSA_SHA_512": hashes.SHA512(),
}
MOST_RAW = 4096  # bytes; API reference of Sign

_of_moto = KmsResponse.sign


def mend() -> None:
    """Have moto answer ``Sign`` with elliptic-curve keys as KMS does."""
    KmsResponse.sign = _sign  # type: ignore[method-assign]


def _sign(self: Any) -> str:
    scheme = self._get_param("SigningAlgorithm")
    if scheme not in SCHEMES:
        return _of_moto(self)
    key_id = self._get_param("KeyId")
    self._validate_key_id(key_id)
    key = self.kms_backend.describe_key(key_id)
    if key.key_usage != "SIGN_VERIFY" or scheme not in key.signing_algorithms:
        raise ValidationException(f"{key.arn} key usage is {key.key_usage}; {scheme} is not valid for it.")
    message = self._get_param("Message")
    if isinstance(message, str):
        message = message.encode()
    algorithm: Any = SCHEMES[scheme]
    if self._get_param("MessageType") == "DIGEST":
        if len(message) != algorithm.digest_size:
            raise ValidationException(f"Digest is invalid length for algorithm {scheme}.")
        algorithm = Prehashed(algorithm)
    elif len(message) > MOST_RAW:
        raise ValidationException(f"Member must have length less than or equal to {MOST_RAW}.")
    signature = key.private_key.private_key.sign(message, ec.ECDSA(algorithm))
    answer = {"KeyId": key.arn, "Signature": base64.b64encode(signature).decode(), "SigningAlgorithm": scheme}
    return json.dumps(answer)
