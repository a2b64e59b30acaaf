"""Signatures by the stack's key, which never leaves Cloud KMS."""

from __future__ import annotations

import base64
import hashlib

from trivet.core import signing
from trivet.core.modelpackage import Manifest
from trivet.core.signing import Signer
from trivet.platforms.gcp.clients import Again, Clients
from trivet.platforms.gcp.errors import told

KMS = "gcpkms://"


def signer(clients: Clients, url: str, public_key: str) -> Signer:
    """Signs manifests with a version of a key of Cloud KMS, of the algorithm EC_SIGN_P256_SHA256.

    What comes back is checked with the public key, which finds more than the sums that Google sends along: a bit that
    was flipped on its way, in either direction, and another key.

    :param url: ``gcpkms://projects/P/locations/R/keyRings/RING/cryptoKeys/KEY/cryptoKeyVersions/N``.
    """

    def sign(manifest: Manifest) -> bytes:
        digest = base64.b64encode(hashlib.sha256(manifest.canonical()).digest()).decode()
        with told("The stack's signing key"):
            path = f"v1/{url.removeprefix(KMS)}:asymmetricSign"
            answer = clients.post("cloudkms", path, {"digest": {"sha256": digest}}, Again.ALWAYS)
        signature = base64.b64decode(answer["signature"])
        signing.check(signature, manifest, public_key)
        return signature

    return sign
