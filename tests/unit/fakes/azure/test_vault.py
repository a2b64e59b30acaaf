"""Key Vault by Microsoft's own client: keys that sign, are found again, and keep their names when deleted."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.keyvault.keys import KeyClient, KeyCurveName, KeyOperation
from azure.keyvault.keys.crypto import CryptographyClient, SignatureAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from .conftest import ARM, KEYS, Subscription, said

DIGEST = hashlib.sha256(b"package").digest()
ES256 = SignatureAlgorithm.es256


@pytest.fixture
def keys(azure: Subscription) -> KeyClient:
    return KeyClient(f"https://{azure.fake.vault}.vault.azure.net", azure.credential, retry_total=0)


def test_a_key_signs_and_anybody_with_its_public_half_can_tell(azure: Subscription, keys: KeyClient):
    made = keys.create_ec_key("signing", curve=KeyCurveName.p_256, tags={"a": "b"})
    client = CryptographyClient(made, azure.credential)
    signature = client.sign(ES256, DIGEST).signature
    numbers = ec.EllipticCurvePublicNumbers(
        int.from_bytes(made.key.x, "big"), int.from_bytes(made.key.y, "big"), ec.SECP256R1()
    )
    pair = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    numbers.public_key().verify(pair, DIGEST, ec.ECDSA(Prehashed(SHA256())))
    answer = azure.send("POST", f"{made.id}/verify?api-version=7.5", KEYS, json=verification(DIGEST, signature))
    assert answer.json() == {"value": True}
    other = hashlib.sha256(b"other").digest()
    answer = azure.send("POST", f"{made.id}/verify?api-version=7.5", KEYS, json=verification(other, signature))
    assert answer.json() == {"value": False}
    assert keys.get_key("signing").properties.tags == {"a": "b"}


def verification(digest: bytes, signature: bytes) -> dict[str, Any]:
    from trivet.rehearsal.fakes.azure.vault.keys import encoded

    return {"alg": "ES256", "digest": encoded(digest), "value": encoded(signature)}


def test_an_rsa_key_signs_too(azure: Subscription, keys: KeyClient):
    made = keys.create_rsa_key("rsa", size=2048)
    client = CryptographyClient(made, azure.credential)
    for algorithm in (SignatureAlgorithm.ps256, SignatureAlgorithm.rs256):
        signature = client.sign(algorithm, DIGEST).signature
        assert client.verify(algorithm, DIGEST, signature).is_valid


def test_versions_are_found_by_their_ids_and_the_newest_by_name(keys: KeyClient):
    first, second = keys.create_ec_key("signing"), keys.create_ec_key("signing")
    assert keys.get_key("signing").id == second.id != first.id
    assert keys.get_key("signing", first.properties.version).key.x == first.key.x
    assert [one.version for one in keys.list_properties_of_key_versions("signing")] == [
        first.properties.version,
        second.properties.version,
    ]
    assert [one.name for one in keys.list_properties_of_keys()] == ["signing"]
    with pytest.raises(ResourceNotFoundError):
        keys.get_key("none")


def test_a_deleted_key_keeps_its_name_until_it_is_purged_or_recovered(azure: Subscription, keys: KeyClient):
    made = keys.create_ec_key("signing")
    gone = keys.begin_delete_key("signing").result()
    assert gone.recovery_id.endswith("/deletedkeys/signing")
    with pytest.raises(HttpResponseError, match="deleted but recoverable"):
        keys.create_ec_key("signing")
    assert keys.begin_recover_deleted_key("signing").result().id == made.id
    keys.begin_delete_key("signing").result()
    keys.purge_deleted_key("signing")
    assert keys.create_ec_key("signing").id != made.id
    keys.begin_delete_key("signing").result()
    azure.fake.switch("soft-delete", False)
    assert keys.create_ec_key("signing")


@pytest.mark.parametrize("vault", ["ab", "1vault", "va--ult", "vault-"])
def test_vaults_and_keys_have_plain_names(azure: Subscription, vault: str):
    def make(of: str, name: str) -> str:
        where = f"https://{of}.vault.azure.net/keys/{name}/create?api-version=7.5"
        return said(azure.send("POST", where, KEYS, json={"kty": "EC"}))

    assert make(vault, "key").startswith("BadParameter") and make(azure.fake.vault, "a_b").startswith("BadParameter")
    azure.fake.switch("vault-names", False)
    assert make(vault, "key") == make(azure.fake.vault, "a_b") == ""


def test_a_key_is_of_a_kind_and_used_as_it_may_be(azure: Subscription, keys: KeyClient):
    only = keys.create_ec_key("verifies", key_operations=[KeyOperation.verify])
    made = keys.create_ec_key("signing")
    wrong = [
        ("keys/x/create", {"kty": "oct"}),
        ("keys/x/create", {"kty": "EC", "crv": "P-1"}),
        ("keys/x/create", {"kty": "RSA", "key_size": 512}),
        (f"keys/verifies/{only.properties.version}/sign", {"alg": "ES256", "value": "A" * 43}),
        (f"keys/signing/{made.properties.version}/sign", {"alg": "RS256", "value": "A" * 43}),
        (f"keys/signing/{made.properties.version}/sign", {"alg": "ES256", "value": "AAAA"}),
    ]

    def ask(path: str, body: dict[str, Any]) -> str:
        where = f"https://{azure.fake.vault}.vault.azure.net/{path}?api-version=7.5"
        return said(azure.send("POST", where, KEYS, json=body))

    assert [ask(*one).partition(":")[0] for one in wrong] == ["BadParameter"] * len(wrong)
    azure.fake.switch("key-kinds", False)
    assert [ask(*one) for one in wrong[1:5]] == [""] * 4


def test_a_vault_asks_for_a_token_of_its_own(azure: Subscription):
    where = f"https://{azure.fake.vault}.vault.azure.net/keys?api-version=7.5"
    answer = requests.get(where, timeout=30)
    assert answer.status_code == 401 and 'resource="https://vault.azure.net"' in answer.headers["WWW-Authenticate"]
    assert azure.send("GET", where, ARM).status_code == 401 and azure.send("GET", where, KEYS).ok
    client = KeyClient(f"https://{azure.fake.vault}.vault.azure.net", azure.credential, retry_total=0)
    azure.fake.fault("CreateKey", code="AuthorizationFailed")
    with pytest.raises((ClientAuthenticationError, HttpResponseError), match="does not have authorization"):
        client.create_ec_key("signing")
