"""Signatures by the stack's key, which never leaves KMS."""

from __future__ import annotations

import hashlib
from typing import Any

from trivet.core.modelpackage import Manifest
from trivet.core.signing import Signer
from trivet.platforms.aws.clients import Clients
from trivet.platforms.aws.errors import told


def signer(clients: Clients, key: str) -> Signer:
    """Signs manifests with a key of KMS: ECDSA over P-256 with SHA-256, as ``trivet.core.signing`` does."""

    def sign(manifest: Manifest) -> bytes:
        with told("The stack's signing key"):
            kms: Any = clients("kms")
            digest = hashlib.sha256(manifest.canonical()).digest()
            answer = kms.sign(KeyId=key, Message=digest, MessageType="DIGEST", SigningAlgorithm="ECDSA_SHA_256")
        return answer["Signature"]

    return sign
