"""``Pulumi.<stack>.yaml``, as the pulumi CLI reads and writes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import yaml

from trivet.core.files import write_atomic
from trivet.infra.engine.crypt import Vault
from trivet.infra.engine.project import Project, mapping, unsupported


class StackSettings:
    """One ``Pulumi.<stack>.yaml``: config values, plain or sealed, and the salt with which they are sealed."""

    def __init__(self, project: Project, stack: str, passphrase: Callable[[], str]) -> None:
        self._path = project.root / f"Pulumi.{stack}.yaml"
        self._project = project
        self._passphrase = passphrase
        self._data: dict[str, Any] = mapping(self._path) if self._path.exists() else {}
        unknown = self._data.keys() - {"config", "encryptionsalt", "secretsprovider"}
        if unknown:
            raise unsupported(f"'{min(unknown)}' in {self._path.name}")
        if self._data.get("secretsprovider", "passphrase") not in ("passphrase", "default", ""):
            raise unsupported(f"the secrets provider {self._data['secretsprovider']!r}")
        self._vaults: dict[str, Vault] = {}

    def vault(self, salt: str | None = None) -> Vault:
        """The vault for a salt; for none, the stack's own, made on first use."""
        salt = salt or self._data.get("encryptionsalt")
        if salt is None:
            vault = Vault.new(self._passphrase)
            self._data["encryptionsalt"] = vault.salt
            self._vaults[vault.salt] = vault
            self._save()
            return vault
        return self._vaults.setdefault(salt, Vault(salt, self._passphrase))

    def key(self, name: str) -> str:
        """A key with its namespace: the project's where it names none."""
        return name if ":" in name else f"{self._project.name}:{name}"

    def values(self) -> dict[str, tuple[str, bool]]:
        """Every value in clear, and whether it is secret. A structured value is its JSON."""
        return {key: self._read(key, value) for key, value in (self._data.get("config") or {}).items()}

    def sealed(self) -> dict[str, Any]:
        """Every value as the file has it: a secret one encrypted."""
        return dict(self._data.get("config") or {})

    def _read(self, key: str, value: Any) -> tuple[str, bool]:
        if isinstance(value, dict) and value.keys() == {"secure"}:
            return self.vault().decrypt(value["secure"]), True
        if isinstance(value, dict | list):
            text = json.dumps(value, default=str)
            if '"secure"' in text:
                raise unsupported(f"the secret inside of the structured value '{key}'")
            return text, False
        return (value if isinstance(value, str) else json.dumps(value, default=str)), False

    def set(self, values: dict[str, tuple[str, bool]]) -> None:
        """Set values; one that does not change leaves the file as it is, a secret's ciphertext included."""
        before = self.values()
        changed = {key: value for key, value in values.items() if before.get(key) != value}
        config = self._data.setdefault("config", {}) if changed else {}
        for key, (value, secret) in changed.items():
            config[key] = {"secure": self.vault().encrypt(value)} if secret else value
        if changed:
            self._save()

    def remove(self, keys: list[str]) -> None:
        """Remove values; a key that is not set is no error, as with the CLI."""
        config = self._data.get("config") or {}
        if config.keys() & set(keys):
            self._data["config"] = {key: value for key, value in config.items() if key not in keys}
            self._save()

    def delete(self) -> None:
        """Remove the file."""
        self._path.unlink(missing_ok=True)

    def _save(self) -> None:
        text = yaml.safe_dump(self._data, sort_keys=True, default_flow_style=False, allow_unicode=True)
        write_atomic(self._path, text, mode=0o644)
