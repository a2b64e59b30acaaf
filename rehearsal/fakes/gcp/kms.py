"""Cloud KMS: key rings, keys and their versions, which sign for real. Nothing here is ever deleted, as there."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import google_crc32c
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from trivet.rehearsal.fakes.gcp.constraints import Constraints
from trivet.rehearsal.fakes.gcp.names import PROJECT
from trivet.rehearsal.fakes.gcp.refusals import invalid, left_out, missing, precondition, refused
from trivet.rehearsal.fakes.gcp.rest import Api, Asked, Method, known, paged, stamp
from trivet.rehearsal.fakes.gcp.rights import Rights

SIGN, ENCRYPT = "ASYMMETRIC_SIGN", "ENCRYPT_DECRYPT"
ALGORITHMS = {SIGN: "EC_SIGN_P256_SHA256", ENCRYPT: "GOOGLE_SYMMETRIC_ENCRYPTION"}
LEVELS = ("SOFTWARE", "HSM")
_ID = re.compile(r"[a-zA-Z0-9_-]{1,63}")
_SECONDS = re.compile(r"(\d+)(\.\d+)?s")
_KEY = (
    *("name", "primary", "purpose", "createTime", "nextRotationTime", "rotationPeriod", "versionTemplate", "labels"),
    *("importOnly", "destroyScheduledDuration", "cryptoKeyBackend", "keyAccessJustificationsPolicy"),
)
_CHANGEABLE = ("labels", "rotationPeriod", "nextRotationTime", "versionTemplate")
_VERSION = (
    *("name", "state", "protectionLevel", "algorithm", "attestation", "createTime", "generateTime", "destroyTime"),
    *("destroyEventTime", "importJob", "importTime", "importFailureReason", "reimportEligible"),
)
_DAY = timedelta(days=1)
_RING = "/v1/projects/{project}/locations/{location}/keyRings"
_KEYS = f"{_RING}/{{ring}}/cryptoKeys"
_VERSIONS = f"{_KEYS}/{{key}}/cryptoKeyVersions"
_PAGES = ("pageSize", "pageToken", "filter", "orderBy", "versionView", "view")


@dataclass
class Key:
    """A key with its versions; the private halves of those that sign, by their numbers."""

    shown: dict[str, Any]
    versions: dict[str, dict[str, Any]] = field(default_factory=dict)
    private: dict[str, ec.EllipticCurvePrivateKey] = field(default_factory=dict)


class Kms:
    """Everything of one fake."""

    def __init__(self, constraints: Constraints, rights: Rights) -> None:
        self._constraints = constraints
        self._rights = rights
        self._lock = threading.RLock()
        self._rings: dict[str, dict[str, Any]] = {}
        self._keys: dict[str, Key] = {}

    def api(self) -> Api:
        """Its door."""
        methods = (
            Method("CreateKeyRing", "POST", _RING, self._create_ring, ("name",), ("keyRingId",)),
            Method("ListKeyRings", "GET", _RING, self._list_rings, (), _PAGES),
            Method("GetKeyRing", "GET", f"{_RING}/{{ring}}", self._ring),
            Method(
                *("CreateCryptoKey", "POST", _KEYS, self._create_key, _KEY),
                ("cryptoKeyId", "skipInitialVersionCreation"),
            ),
            Method("ListCryptoKeys", "GET", _KEYS, self._list_keys, (), _PAGES),
            Method("GetCryptoKey", "GET", f"{_KEYS}/{{key}}", lambda asked: self._shown(self._key(asked))),
            Method("UpdateCryptoKey", "PATCH", f"{_KEYS}/{{key}}", self._update_key, _KEY, ("updateMask",)),
            Method(
                *("TestIamPermissions", "POST", f"{_KEYS}/{{key}}:testIamPermissions", self._tested, ("permissions",))
            ),
            Method("CreateCryptoKeyVersion", "POST", _VERSIONS, self._create_version, _VERSION),
            Method("ListCryptoKeyVersions", "GET", _VERSIONS, self._list_versions, (), _PAGES),
            Method("GetCryptoKeyVersion", "GET", f"{_VERSIONS}/{{version}}", self._version),
            Method(
                *("UpdateCryptoKeyVersion", "PATCH", f"{_VERSIONS}/{{version}}", self._update_version, _VERSION),
                ("updateMask",),
            ),
            Method("DestroyCryptoKeyVersion", "POST", f"{_VERSIONS}/{{version}}:destroy", self._destroy),
            Method("RestoreCryptoKeyVersion", "POST", f"{_VERSIONS}/{{version}}:restore", self._restore),
            Method("GetPublicKey", "GET", f"{_VERSIONS}/{{version}}/publicKey", self._public, (), ("publicKeyFormat",)),
            Method(
                *("AsymmetricSign", "POST", f"{_VERSIONS}/{{version}}:asymmetricSign", self._sign),
                ("digest", "digestCrc32c", "data", "dataCrc32c"),
            ),
        )
        return Api(self._constraints, "cloudkms", "Cloud KMS", r"/v1/projects/[^/]+/locations/[^/]+/keyRings", methods)

    def forget(self) -> None:
        """Hold nothing."""
        with self._lock:
            self._rings.clear()
            self._keys.clear()

    def encrypts(self, name: str) -> bool:
        """Whether a key, by its name, encrypts and decrypts just now."""
        with self._lock:
            found = self._keys.get(name)
            primary = self._shown(found).get("primary", {}) if found else {}
            return primary.get("state") == "ENABLED"

    def _tested(self, asked: Asked) -> dict[str, Any]:
        self._key(asked)
        return self._rights.tested(asked)

    def _create_ring(self, asked: Asked) -> dict[str, Any]:
        name = f"{_place(asked)}/keyRings/{_new(asked, 'keyRingId')}"
        with self._lock:
            if name in self._rings:
                raise refused("ALREADY_EXISTS", f"KeyRing {name} already exists.")
            self._rings[name] = {"name": name, "createTime": stamp()}
            return self._rings[name]

    def _ring(self, asked: Asked) -> dict[str, Any]:
        name = f"{_place(asked)}/keyRings/{asked.names['ring']}"
        with self._lock:
            if name not in self._rings:
                raise missing(f"KeyRing {name} not found.")
            return self._rings[name]

    def _list_rings(self, asked: Asked) -> dict[str, Any]:
        with self._lock:
            here = [one for name, one in self._rings.items() if name.startswith(f"{_place(asked)}/")]
        return paged(here, asked, "keyRings")

    def _create_key(self, asked: Asked) -> dict[str, Any]:
        ring, body = self._ring(asked), dict(asked.body)
        name = f"{ring['name']}/cryptoKeys/{_new(asked, 'cryptoKeyId')}"
        purpose, template = body.get("purpose"), body.get("versionTemplate", {})
        if purpose not in ALGORITHMS:
            raise left_out(f"key of the purpose {purpose}") if purpose else invalid("purpose: Field is required")
        known(template, ("protectionLevel", "algorithm"), "crypto_key.version_template")
        if purpose == SIGN and not template.get("algorithm"):
            raise invalid("version_template.algorithm is required for keys of the purpose ASYMMETRIC_SIGN.")
        algorithm = template.get("algorithm", ALGORITHMS[purpose])
        if algorithm != ALGORITHMS[purpose]:
            raise left_out(f"algorithm {algorithm}")
        level = template.get("protectionLevel", "SOFTWARE")
        if level not in LEVELS:
            raise left_out(f"protection level {level}")
        _check_rotation(body, purpose)
        wait = _period(body.get("destroyScheduledDuration", "2592000s"), "destroy_scheduled_duration")
        if not _DAY <= wait <= 120 * _DAY:
            raise invalid("destroy_scheduled_duration must be from 24 hours to 120 days.")
        shown = {
            **{member: value for member, value in body.items() if member not in ("name", "primary", "createTime")},
            "name": name,
            "purpose": purpose,
            "createTime": stamp(),
            "versionTemplate": {"protectionLevel": level, "algorithm": algorithm},
            "destroyScheduledDuration": f"{int(wait.total_seconds())}s",
        }
        with self._lock:
            if name in self._keys:
                raise refused("ALREADY_EXISTS", f"CryptoKey {name} already exists.")
            self._keys[name] = key = Key(shown)
            if asked.query.get("skipInitialVersionCreation", "false") != "true":
                self._add(key)
            return self._shown(key)

    def _key(self, asked: Asked) -> Key:
        name = f"{_place(asked)}/keyRings/{asked.names['ring']}/cryptoKeys/{asked.names['key']}"
        with self._lock:
            if name not in self._keys:
                raise missing(f"CryptoKey {name} not found.")
            return self._keys[name]

    def _shown(self, key: Key) -> dict[str, Any]:
        """A symmetric key shows the version that encrypts."""
        if key.shown["purpose"] != ENCRYPT or not key.versions:
            return key.shown
        return {**key.shown, "primary": next(iter(key.versions.values()))}

    def _list_keys(self, asked: Asked) -> dict[str, Any]:
        ring = self._ring(asked)["name"]
        with self._lock:
            here = [self._shown(key) for name, key in self._keys.items() if name.startswith(f"{ring}/")]
        return paged(here, asked, "cryptoKeys")

    def _update_key(self, asked: Asked) -> dict[str, Any]:
        key, mask = self._key(asked), _mask(asked, _CHANGEABLE)
        with self._lock:
            changed = {member: asked.body[member] for member in mask if member in asked.body}
            _check_rotation(changed, key.shown["purpose"])
            for member in mask:
                key.shown.pop(member, None)
            key.shown.update(changed)
            return self._shown(key)

    def _create_version(self, asked: Asked) -> dict[str, Any]:
        key = self._key(asked)
        with self._lock:
            return self._add(key)

    def _add(self, key: Key) -> dict[str, Any]:
        number = str(len(key.versions) + 1)
        if key.shown["purpose"] == SIGN:
            key.private[number] = ec.generate_private_key(ec.SECP256R1())
        version = {
            "name": f"{key.shown['name']}/cryptoKeyVersions/{number}",
            "state": "ENABLED",
            **key.shown["versionTemplate"],
            "createTime": stamp(),
            "generateTime": stamp(),
        }
        key.versions[number] = version
        return version

    def _version(self, asked: Asked) -> dict[str, Any]:
        key = self._key(asked)
        with self._lock:
            if asked.names["version"] not in key.versions:
                raise missing(f"CryptoKeyVersion {key.shown['name']}/{asked.names['version']} not found.")
            return key.versions[asked.names["version"]]

    def _list_versions(self, asked: Asked) -> dict[str, Any]:
        with self._lock:
            return paged(list(self._key(asked).versions.values()), asked, "cryptoKeyVersions")

    def _update_version(self, asked: Asked) -> dict[str, Any]:
        version, wanted = self._version(asked), asked.body.get("state")
        _mask(asked, ("state",))
        with self._lock:
            if {version["state"], wanted} - {"ENABLED", "DISABLED"}:
                raise precondition(f"{version['name']} is {version['state']}, and cannot become {wanted}.")
            version["state"] = wanted
            return version

    def _destroy(self, asked: Asked) -> dict[str, Any]:
        key, version = self._key(asked), self._version(asked)
        with self._lock:
            if version["state"] not in ("ENABLED", "DISABLED"):
                raise precondition(f"{version['name']} is {version['state']}, and cannot be destroyed.")
            wait = _period(key.shown["destroyScheduledDuration"], "destroy_scheduled_duration")
            version |= {"state": "DESTROY_SCHEDULED", "destroyTime": stamp(datetime.now(UTC) + wait)}
            return version

    def _restore(self, asked: Asked) -> dict[str, Any]:
        version = self._version(asked)
        with self._lock:
            if version["state"] != "DESTROY_SCHEDULED":
                raise precondition(f"{version['name']} is {version['state']}, and cannot be restored.")
            del version["destroyTime"]
            version["state"] = "DISABLED"
            return version

    def _private(self, asked: Asked) -> tuple[dict[str, Any], ec.EllipticCurvePrivateKey]:
        key, version = self._key(asked), self._version(asked)
        if key.shown["purpose"] != SIGN:
            raise precondition(f"{version['name']} is not enabled for the purpose ASYMMETRIC_SIGN.")
        if version["state"] != "ENABLED":
            raise precondition(f"{version['name']} is not enabled, current state is: {version['state']}.")
        return version, key.private[asked.names["version"]]

    def _public(self, asked: Asked) -> dict[str, Any]:
        version, private = self._private(asked)
        pem = private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return {
            "pem": pem.decode(),
            "algorithm": version["algorithm"],
            "pemCrc32c": _crc(pem),
            "name": version["name"],
            "protectionLevel": version["protectionLevel"],
        }

    def _sign(self, asked: Asked) -> dict[str, Any]:
        version, private = self._private(asked)
        digest, verified = _digest(asked.body)
        signature = private.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
        return {
            "signature": base64.b64encode(signature).decode(),
            "signatureCrc32c": _crc(signature),
            "name": version["name"],
            "protectionLevel": version["protectionLevel"],
            **verified,
        }


def _digest(body: dict[str, Any]) -> tuple[bytes, dict[str, bool]]:
    """What is to be signed, and what was verified of it: the sums that came along."""
    if ("digest" in body) == ("data" in body):
        raise invalid("Exactly one of digest and data must be given.")
    if "data" in body:
        data = _decoded(body["data"], "data")
        return hashlib.sha256(data).digest(), _verified(body, "dataCrc32c", data, "verifiedDataCrc32c")
    known(body["digest"], ("sha256", "sha384", "sha512"), "digest")
    if "sha256" not in body["digest"]:
        raise invalid("The digest must be one of SHA-256 for the algorithm EC_SIGN_P256_SHA256.")
    digest = _decoded(body["digest"]["sha256"], "digest.sha256")
    if len(digest) != 32:
        raise invalid(f"digest.sha256 has {len(digest)} bytes, not 32.")
    return digest, _verified(body, "digestCrc32c", digest, "verifiedDigestCrc32c")


def _verified(body: dict[str, Any], member: str, data: bytes, said: str) -> dict[str, bool]:
    """:raises Refused: where the sum is another one's."""
    if member not in body:
        return {}
    if str(body[member]) != _crc(data):
        raise invalid(f"The checksum in field {member} did not match the data in the request.")
    return {said: True}


def _crc(data: bytes) -> str:
    """CRC32C as Google's JSON has numbers of 64 bits."""
    return str(google_crc32c.value(data))


def _decoded(text: Any, member: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise invalid(f"{member}: Base64 decoding failed.") from error


def _place(asked: Asked) -> str:
    return f"projects/{PROJECT}/locations/{asked.names['location']}"


def _new(asked: Asked, parameter: str) -> str:
    given = asked.query.get(parameter, "")
    if not _ID.fullmatch(given):
        raise invalid(f"Invalid {parameter} '{given}': it must match the regular expression {_ID.pattern}.")
    return given


def _mask(asked: Asked, changeable: tuple[str, ...]) -> list[str]:
    parts = [part.partition(".")[0] for part in asked.query.get("updateMask", "").split(",")]
    paths = [re.sub(r"_([a-z])", lambda found: found[1].upper(), path) for path in parts if path]
    if not paths or set(paths) - set(changeable):
        raise invalid(f"Invalid update_mask: one can change {', '.join(changeable)}.")
    return paths


def _check_rotation(body: dict[str, Any], purpose: str) -> None:
    rotated = "rotationPeriod" in body or "nextRotationTime" in body
    if rotated and purpose != ENCRYPT:
        raise invalid(f"Keys of the purpose {purpose} are not rotated by themselves.")
    if "rotationPeriod" in body and _period(body["rotationPeriod"], "rotation_period") < _DAY:
        raise invalid("rotation_period must be at least 24 hours.")


def _period(text: Any, member: str) -> timedelta:
    found = _SECONDS.fullmatch(str(text))
    if found is None:
        raise invalid(f"{member}: Field '{text}' is no duration.")
    return timedelta(seconds=float(f"{found[1]}{found[2] or ''}"))
