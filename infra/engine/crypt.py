"""Pulumi's passphrase secrets: the same key, the same text forms, so that either engine opens what the other sealed.

The key is PBKDF2-SHA256 of the passphrase (a million rounds, 8 bytes of salt), the cipher AES-256-GCM. A ciphertext is
``v1:<nonce>:<bytes>``; the salt is kept as ``v1:<salt>:<ciphertext of "pulumi">``, by which a wrong passphrase shows.
"""

from __future__ import annotations

import hashlib
import json
import os
from base64 import b64decode, b64encode
from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from trivet.core.errors import ConfigError
from trivet.infra.engine.values import SECRET, SIGNATURE, is_secret, reveal, secret

_ROUNDS = 1_000_000
_CHECK = "pulumi"


@lru_cache(maxsize=8)
def _key(passphrase: str, salt: bytes) -> bytes:
    """Derived once per process: it costs a third of a second."""
    return hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, _ROUNDS, 32)


class Vault:
    """Encrypts and decrypts with one passphrase and one salt; derives the key on first use.

    :param salt: the salt in Pulumi's form, as in ``encryptionsalt`` and in the state.
    :param passphrase: called on first use.
    """

    def __init__(self, salt: str, passphrase: Callable[[], str]) -> None:
        self.salt = salt
        self._passphrase = passphrase
        self._sealed: dict[tuple[str, str], str] = {}

    @classmethod
    def new(cls, passphrase: Callable[[], str]) -> Vault:
        """A vault with a salt of its own."""
        salt = os.urandom(8)
        check = _encrypt(AESGCM(_key(passphrase(), salt)), _CHECK)
        return cls(f"v1:{b64encode(salt).decode()}:{check}", passphrase)

    @cached_property
    def _cipher(self) -> AESGCM:
        version, _, rest = self.salt.partition(":")
        salt, _, check = rest.partition(":")
        if version != "v1" or not check:
            raise ConfigError("The encryption salt of this stack is not in a form that Pulumi writes.")
        cipher = AESGCM(_key(self._passphrase(), b64decode(salt)))
        if _decrypt(cipher, check) != _CHECK:
            raise _wrong()
        return cipher

    def encrypt(self, text: str) -> str:
        """A ciphertext with a fresh nonce."""
        return _encrypt(self._cipher, text)

    def decrypt(self, ciphertext: str) -> str:
        """:raises ConfigError: for a wrong passphrase or a changed ciphertext."""
        return _decrypt(self._cipher, ciphertext)

    def seal(self, value: Any, where: str, *, show: bool = False) -> Any:
        """Property values as the state keeps them, each secret encrypted (or, for an export, shown).

        A secret that did not change since it was opened at the same place keeps its ciphertext, so that an unchanged
        state stays the same bytes.
        """
        if is_secret(value):
            text = json.dumps(reveal(value), separators=(",", ":"), ensure_ascii=False)
            if show:
                return {SIGNATURE: SECRET, "plaintext": text}
            if (where, text) not in self._sealed:
                self._sealed[where, text] = self.encrypt(text)
            return {SIGNATURE: SECRET, "ciphertext": self._sealed[where, text]}
        if isinstance(value, dict):
            return {key: self.seal(item, f"{where}.{key}", show=show) for key, item in value.items()}
        if isinstance(value, list):
            return [self.seal(item, f"{where}[{i}]", show=show) for i, item in enumerate(value)]
        return value

    def open(self, value: Any, where: str) -> Any:
        """The inverse of :meth:`seal`."""
        if isinstance(value, dict) and value.get(SIGNATURE) == SECRET:
            if "plaintext" in value:
                return secret(json.loads(value["plaintext"]))
            text = self.decrypt(value["ciphertext"])
            self._sealed[where, text] = value["ciphertext"]
            return secret(json.loads(text))
        if isinstance(value, dict):
            return {key: self.open(item, f"{where}.{key}") for key, item in value.items()}
        if isinstance(value, list):
            return [self.open(item, f"{where}[{i}]") for i, item in enumerate(value)]
        return value


def _encrypt(cipher: AESGCM, text: str) -> str:
    nonce = os.urandom(12)
    sealed = cipher.encrypt(nonce, text.encode(), None)
    return f"v1:{b64encode(nonce).decode()}:{b64encode(sealed).decode()}"


def _decrypt(cipher: AESGCM, ciphertext: str) -> str:
    try:
        version, nonce, sealed = ciphertext.split(":")
        if version == "v1":
            return cipher.decrypt(b64decode(nonce), b64decode(sealed), None).decode()
    except (ValueError, InvalidTag) as error:
        raise _wrong() from error
    raise _wrong()


def _wrong() -> ConfigError:
    return ConfigError(
        "The passphrase does not open this stack's secrets.",
        "Give the one it was made with in PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE.",
    )
