"""One version of a key of Key Vault, which never leaves it: what is shown of it, and what it signs."""

from __future__ import annotations

import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)

Demand = Callable[[bool, str], None]
"""From whether something is so to nothing; raises with the sentence where it must be so."""

_CURVES: dict[str, tuple[type[ec.EllipticCurve], str]] = {
    "P-256": (ec.SECP256R1, "ES256"),
    "P-384": (ec.SECP384R1, "ES384"),
    "P-521": (ec.SECP521R1, "ES512"),
    "P-256K": (ec.SECP256K1, "ES256K"),
}
_SIZES = (2048, 3072, 4096)
_HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512(), "256K": hashes.SHA256()}
_ALL = ("sign", "verify", "encrypt", "decrypt", "wrapKey", "unwrapKey")
_OF_CURVES = ("sign", "verify")


class Key:
    """Made as its description wants it. Keys "in hardware" are kept as the others are."""

    def __init__(self, identifier: str, wanted: dict[str, Any], demand: Demand) -> None:
        self.id = identifier
        self.name_id = identifier.rpartition("/")[0]
        self.deleted = 0
        self._type = str(wanted.get("kty", ""))
        self._made = int(time.time())
        self._attributes = wanted.get("attributes") or {}
        self._tags = wanted.get("tags") or {}
        demand(self._type in ("EC", "EC-HSM", "RSA", "RSA-HSM"), f"Property has invalid value kty: '{self._type}'.")
        self._curve = str(wanted.get("crv") or "P-256") if self._type.startswith("EC") else ""
        self._operations = list(wanted.get("key_ops") or (_OF_CURVES if self._curve else _ALL))
        self._private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
        if self._curve:
            demand(self._curve in _CURVES, f"Property has invalid value crv: '{self._curve}'.")
            self._private = ec.generate_private_key(_CURVES.get(self._curve, _CURVES["P-256"])[0]())
        else:
            size = int(wanted.get("key_size") or 2048)
            demand(size in _SIZES, f"Property has invalid value key_size: '{size}'.")
            self._private = rsa.generate_private_key(65537, size if size in _SIZES else 2048)

    def shown(self) -> dict[str, Any]:
        """The public key, as JSON Web Keys have it, and what is known of it."""
        return {
            "key": {"kid": self.id, "kty": self._type, "key_ops": self._operations, **self._public()},
            "attributes": self._described(),
            "tags": self._tags,
        }

    def item(self, identifier: str) -> dict[str, Any]:
        """As lists have it."""
        return {"kid": identifier, "attributes": self._described(), "tags": self._tags}

    def sign(self, algorithm: str, digest: bytes, demand: Demand) -> bytes:
        """A signature of a digest, in the form that JSON Web Signatures have: r and s, each padded."""
        used = self._algorithm("sign", algorithm, digest, demand)
        if isinstance(self._private, ec.EllipticCurvePrivateKey):
            r, s = decode_dss_signature(self._private.sign(digest, ec.ECDSA(Prehashed(used))))
            return r.to_bytes(self._width, "big") + s.to_bytes(self._width, "big")
        return self._private.sign(digest, _padding(algorithm, used), Prehashed(used))

    def verify(self, algorithm: str, digest: bytes, signature: bytes, demand: Demand) -> bool:
        """Whether a signature is this key's."""
        used = self._algorithm("verify", algorithm, digest, demand)
        public = self._private.public_key()
        try:
            if isinstance(public, ec.EllipticCurvePublicKey):
                half = self._width
                r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
                public.verify(encode_dss_signature(r, s), digest, ec.ECDSA(Prehashed(used)))
            else:
                public.verify(signature, digest, _padding(algorithm, used), Prehashed(used))
        except InvalidSignature:
            return False
        return True

    @property
    def _width(self) -> int:
        return (self._private.key_size + 7) // 8

    def _algorithm(self, operation: str, name: str, digest: bytes, demand: Demand) -> Any:
        """The digest that an algorithm's name says, where this key may be used so."""
        demand(operation in self._operations, f"Operation {operation} is not permitted on this key.")
        fits = name == _CURVES[self._curve][1] if self._curve in _CURVES else name[:2] in ("RS", "PS")
        demand(fits and name[2:] in _HASHES, f"Property has invalid value alg: '{name}' does not fit the key.")
        used = _HASHES.get(name[2:], hashes.SHA256())
        demand(len(digest) == used.digest_size, f"Invalid length of value: {used.digest_size} bytes are needed.")
        return used

    def _public(self) -> dict[str, str]:
        numbers: Any = self._private.public_key().public_numbers()
        if self._curve:
            width = self._width
            return {"crv": self._curve, "x": _number(numbers.x, width), "y": _number(numbers.y, width)}
        return {"n": _number(numbers.n, self._width), "e": _number(numbers.e, 3)}

    def _described(self) -> dict[str, Any]:
        return {
            "enabled": True,
            **self._attributes,
            "created": self._made,
            "updated": self._made,
            "recoveryLevel": "Recoverable+Purgeable",
            "recoverableDays": 90,
            "exportable": False,
        }


def encoded(data: bytes) -> str:
    """Base64 for addresses, without padding; RFC 7515, 2."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """The other way round."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _number(value: int, width: int) -> str:
    return encoded(value.to_bytes(width, "big"))


def _padding(algorithm: str, used: Any) -> padding.AsymmetricPadding:
    if algorithm.startswith("PS"):
        return padding.PSS(padding.MGF1(used), used.digest_size)
    return padding.PKCS1v15()
