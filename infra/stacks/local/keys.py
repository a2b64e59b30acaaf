"""The key that signs model packages. Its private half never enters Pulumi's state."""

from __future__ import annotations

import shutil
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider

from trivet.core.files import private_folder, write_atomic
from trivet.core.signing import key_id, new_key, public_key
from trivet.infra.stacks.local.storage import file_url, located


class SigningKeyProvider(ResourceProvider):
    """A private key in a file (0600), made once."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        path = located(props["path"])
        private_folder(path.parent)
        # A create that was cut short after the file was written must not make a second key.
        private = path.read_bytes() if path.is_file() else new_key()
        write_atomic(path, private)
        return CreateResult(props["path"], {"path": props["path"], **_described(private)})

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        moved = _olds["path"] != _news["path"]
        return DiffResult(changes=moved, replaces=["path"] if moved else [])

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        path = located(id_)
        if not path.is_file():
            return ReadResult("", {})
        return ReadResult(id_, {**props, **_described(path.read_bytes())})

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        folder = located(_id).parent
        if folder.exists():
            shutil.rmtree(folder)  # with what a create that was cut short left beside the key


def _described(private: bytes) -> dict[str, str]:
    public = public_key(private)
    return {"public_key": public, "key_id": key_id(public)}


class SigningKey(Resource):
    """The stack's signing key."""

    path: pulumi.Output[str]
    public_key: pulumi.Output[str]
    key_id: pulumi.Output[str]

    def __init__(self, name: str, path: str, home: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(SigningKeyProvider(), name, {"path": path, "public_key": None, "key_id": None}, opts)
        self.url = self.path.apply(lambda at: file_url(at, home))


def create(home: str, options: pulumi.ResourceOptions) -> SigningKey:
    """One key per stack."""
    return SigningKey("signing-key", f"{home}/keys/signing.pem", home, options)
