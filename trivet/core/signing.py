"""Detached signatures of model packages: ECDSA P-256 with SHA-256 over the canonical manifest, DER-encoded."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from trivet.core.canonical import digest
from trivet.core.errors import ConfigError, IntegrityError
from trivet.core.modelpackage import Manifest, Package

_SCHEME = ec.ECDSA(hashes.SHA256())

Signer = Callable[[Manifest], bytes]


def new_key() -> bytes:
    """A fresh private key, PEM (PKCS 8)."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_key(private_key: bytes) -> str:
    """The public half of a private key, PEM."""
    return (
        _private(private_key)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def public_pem(der: bytes) -> str:
    """A public key as PEM, which a cloud gives as DER (SubjectPublicKeyInfo)."""
    key = serialization.load_der_public_key(der)
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def key_id(public: str) -> str:
    """A short name of a public key: the first 16 hexadecimal digits of its digest."""
    return digest(public.encode())[7:23]


def sign(manifest: Manifest, private_key: bytes) -> bytes:
    """Sign a manifest."""
    return _private(private_key).sign(manifest.canonical(), _SCHEME)


def signer(private_key: bytes) -> Signer:
    """What signs manifests with a key that is at hand; clouds keep theirs where they sign."""
    return lambda manifest: sign(manifest, private_key)


def verify(package: Package, public: str) -> None:
    """Check that a package was signed with the private half of ``public``.

    :raises IntegrityError: when it is not signed, or with another key.
    """
    signature = package.signature()
    if signature is None:
        raise IntegrityError(f"Model package {package.digest[:19]} is not signed.", "Register it first.")
    check(signature, package.manifest, public)


def check(signature: bytes, manifest: Manifest, public: str) -> None:
    """Check that a signature of a manifest was made with the private half of ``public``.

    :raises IntegrityError: when it was not.
    """
    try:
        _public(public).verify(signature, manifest.canonical(), _SCHEME)
    except InvalidSignature:
        name = manifest.content_digest()[:19]
        raise IntegrityError(
            f"The signature of model package {name} was not made with the stack's key {key_id(public)}."
        ) from None


def _public(pem: str) -> ec.EllipticCurvePublicKey:
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError("The public key is no key in PEM.", "Give the stack's, as its outputs have it.") from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ConfigError("The public key is no elliptic-curve key.", "Give the stack's, as its outputs have it.")
    return key


def _private(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigError("The signing key is no elliptic-curve key.")
    return key
