"""Certificates for names that are not ours, by an authority that only clients of this fake trust; gone with it."""

from __future__ import annotations

import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY = "authority.pem"
_USES = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
_LIFE = timedelta(days=30)


class Authority:
    """Makes itself known in ``folder``. One key serves all names; the authority's own is in the memory only."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Fake of Azure on this machine")])
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._lock = threading.Lock()
        self._leaf = ec.generate_private_key(ec.SECP256R1())
        own = self._signed(self._name, self._key, x509.BasicConstraints(ca=True, path_length=0), None)
        (folder / AUTHORITY).write_bytes(own)

    def context(self, name: str) -> ssl.SSLContext:
        """What a server shows to be this name."""
        with self._lock:
            if name not in self._contexts:
                self._contexts[name] = self._made(name)
            return self._contexts[name]

    def _made(self, name: str) -> ssl.SSLContext:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
        leaf = self._signed(subject, self._leaf, x509.BasicConstraints(ca=False, path_length=None), name)
        key = self._leaf.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path = self._folder / "shown.pem"  # the standard library takes certificates from files only
        path.touch(0o600)
        path.write_bytes(key + leaf)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        path.unlink()
        return context

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, basic: x509.BasicConstraints, name: str | None
    ) -> bytes:
        now = datetime.now(UTC)
        used = dict.fromkeys((*_USES, "encipher_only", "decipher_only"), False)
        usage = x509.KeyUsage(**{**used, "digital_signature": True}, key_cert_sign=basic.ca, crl_sign=basic.ca)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + _LIFE)
            .add_extension(basic, critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        if name is None:
            return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)
        of = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(of, critical=False)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)
