"""Types whose objects really lie in the fake of Google Cloud, where the runtime works on them.

What the program says of an object is in the strict store, too: from there comes what the fake does not keep. Where no
fake is named, that is all.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from trivet.core.errors import NotFound
from trivet.infra.engine.values import Properties
from trivet.rehearsal.plugins.gcp.fake import Fake, GcpAccount
from trivet.rehearsal.plugins.gcp.kinds import Google
from trivet.rehearsal.plugins.kinds import Account, Live, Taken, last

Body = dict[str, Any]


@dataclass(frozen=True)
class Served(Google):
    """A type of Google Cloud, of which the fake keeps the objects.

    :param collection: the path in which objects are made, over inputs and facts, and :param naming: the parameter that
        names a new one; none: the body does.
    :param path: of one object, over its id and the facts.
    :param members: the inputs that go into the body.
    :param changeable: those that are changed in place and read again.
    :param stays: whether Google never deletes it.
    """

    collection: str = ""
    naming: str = ""
    path: str = "/v1/{id}"
    members: Sequence[str] = ()
    mutable: Sequence[str] = ()
    more: Mapping[str, Any] = field(default_factory=dict)

    backend = "fake"

    def kept_beside(self) -> list[str]:
        """See :class:`Kind`."""
        return sorted(set(self.declared.inputs) - {*self.members, *self.path_inputs()})

    def create(self, account: Account, urn: str, inputs: Properties) -> tuple[str, Properties]:
        """See :class:`Kind`; what is in the fake already was made by a create that was cut off, or is another's."""
        fake = _fake(account)
        began = account.store.unanswered(self.token, urn, inputs)
        identity, outputs = super().create(account, urn, inputs)
        if fake:
            try:
                self.lay(fake, account, identity, inputs)
            except Taken:
                if not began:
                    account.store.remove(self.token, identity)
                    raise
            except BaseException:
                account.store.remove(self.token, identity)
                raise
        return identity, outputs

    def lay(self, fake: Fake, account: Account, identity: str, inputs: Properties) -> None:
        """Make it in the fake."""
        bag = self.bag(account, inputs)
        parameters = {self.naming: last(identity)} if self.naming else {}
        fake.ask("POST", self.collection.format_map(bag), self.body(account, inputs, self.members), **parameters)

    def body(self, account: Account, inputs: Properties, members: Sequence[str]) -> Body:
        """What the fake is told of it."""
        said = {name: _plain(inputs[name]) for name in members if inputs.get(name) is not None}
        return {**said, **({"labels": self._labels(account, inputs)} if "labels" in members else {})}

    def read(self, account: Account, identity: str, inputs: Properties) -> Live | None:
        """See :class:`Kind`; as the fake has it, in the program's words where that says the same."""
        live, fake = super().read(account, identity, inputs), _fake(account)
        if live is None or fake is None:
            return live
        try:
            there = fake.ask("GET", self._where(account, identity))
        except NotFound:
            return None
        found = {**live.inputs, **self.changed(account, live.inputs, there)}
        return Live(identity, found, {**live.outputs, **found} if found != live.inputs else live.outputs)

    def changed(self, account: Account, inputs: Properties, there: Body) -> Properties:
        """What is otherwise in the fake than the program last said."""
        said = self.body(account, inputs, self.mutable)
        found = {name: there[name] for name in said if name in there and there[name] != said[name]}
        if "labels" in found:  # what others have added is theirs: "Labels", Pulumi's and Terraform's provider
            own = inputs.get("labels") or {}
            found["labels"] = {key: found["labels"][key] for key in own if key in found["labels"]}
        return {name: value for name, value in found.items() if value != inputs.get(name)}

    def update(self, account: Account, identity: str, old: Properties, new: Properties) -> Properties:
        """See :class:`Kind`."""
        fake = _fake(account)
        before, after = (self.body(account, one, self.mutable) for one in (old, new))
        changes = {name: value for name, value in after.items() if before.get(name) != value}
        if fake and changes:
            self.patch(fake, self._where(account, identity), changes)
        return super().update(account, identity, old, new)

    def patch(self, fake: Fake, path: str, changes: Body) -> None:
        """Change these members of it."""
        fake.ask("PATCH", path, changes, updateMask=",".join(changes))

    def delete(self, account: Account, identity: str, inputs: Properties) -> None:
        """See :class:`Kind`."""
        if fake := _fake(account):
            with contextlib.suppress(NotFound):
                self.take(fake, self._where(account, identity), inputs)
        super().delete(account, identity, inputs)

    def take(self, fake: Fake, path: str, inputs: Properties) -> None:
        """Delete it."""
        fake.ask("DELETE", path)

    def _where(self, account: Account, identity: str) -> str:
        return self.path.format_map({**account.facts, "id": identity})

    def _labels(self, account: Account, inputs: Properties) -> dict[str, str]:
        return {**account.labels, **(inputs.get("labels") or {})}


@dataclass(frozen=True)
class ServiceAccount(Served):
    """A service account: in the fake that it is there, and what it is called."""

    def body(self, account: Account, inputs: Properties, members: Sequence[str]) -> Body:
        """See :class:`Served`."""
        said = {name: inputs[name] for name in ("displayName", "description") if inputs.get(name)}
        return {"accountId": inputs["accountId"], "serviceAccount": said}


@dataclass(frozen=True)
class Policy(Served):
    """An alert policy, whose number Cloud Monitoring gives."""

    def create(self, account: Account, urn: str, inputs: Properties) -> tuple[str, Properties]:
        """See :class:`Kind`."""
        fake, bag = _fake(account), self.bag(account, inputs)
        if fake is None:
            return super().create(account, urn, inputs)
        made = fake.ask("POST", self.collection.format_map(bag), self.body(account, inputs, self.members))
        return replace(self, identity=made["name"], collection="").create_known(account, urn, inputs)

    def create_known(self, account: Account, urn: str, inputs: Properties) -> tuple[str, Properties]:
        """Note it, where the fake has it already."""
        return Google.create(self, account, urn, inputs)


@dataclass(frozen=True)
class Ring(Served):
    """A key ring, which Google never deletes."""

    def take(self, fake: Fake, path: str, inputs: Properties) -> None:
        """See :class:`Served`."""


@dataclass(frozen=True)
class Key(Served):
    """A key, of which only the versions are destroyed."""

    def take(self, fake: Fake, path: str, inputs: Properties) -> None:
        """See :class:`Served`."""
        for version in fake.ask("GET", f"{path}/cryptoKeyVersions").get("cryptoKeyVersions", []):
            if version["state"] in ("ENABLED", "DISABLED"):
                fake.ask("POST", f"/v1/{version['name']}:destroy", {})


@dataclass(frozen=True)
class Bucket(Served):
    """A bucket, by Cloud Storage's own words."""

    def body(self, account: Account, inputs: Properties, members: Sequence[str]) -> Body:
        """See :class:`Served`."""
        said: Body = {name: inputs[name] for name in ("name", "location") if name in members and name in inputs}
        said["labels"] = self._labels(account, inputs)
        said["iamConfiguration"] = {
            "uniformBucketLevelAccess": {"enabled": bool(inputs.get("uniformBucketLevelAccess"))},
            "publicAccessPrevention": inputs.get("publicAccessPrevention") or "inherited",
        }
        said["versioning"] = {"enabled": bool((inputs.get("versioning") or {}).get("enabled"))}
        for name in ("encryption", "logging", "retentionPolicy", "softDeletePolicy"):
            if inputs.get(name):
                said[name] = _plain({key: value for key, value in inputs[name].items() if key != "isLocked"})
        return said

    def changed(self, account: Account, inputs: Properties, there: Body) -> Properties:
        """See :class:`Served`; what guards a bucket is looked at."""
        now = {**inputs, "versioning": there.get("versioning", {"enabled": False})}
        access = there.get("iamConfiguration", {})
        now["uniformBucketLevelAccess"] = access.get("uniformBucketLevelAccess", {}).get("enabled", False)
        now["publicAccessPrevention"] = access.get("publicAccessPrevention", "inherited")
        same = self.body(account, now, ()) == self.body(account, inputs, ())
        return {} if same else {name: value for name, value in now.items() if inputs.get(name) != value}

    def patch(self, fake: Fake, path: str, changes: Body) -> None:
        """See :class:`Served`; a patch of Cloud Storage has no mask."""
        fake.ask("PATCH", path, changes)

    def take(self, fake: Fake, path: str, inputs: Properties) -> None:
        """See :class:`Served`."""
        if inputs.get("forceDestroy"):
            self._empty(fake, path)
        fake.ask("DELETE", path)

    def _empty(self, fake: Fake, path: str) -> None:
        from urllib.parse import quote

        while found := fake.ask("GET", f"{path}/o", versions="true").get("items", []):
            for one in found:
                fake.ask("DELETE", f"{path}/o/{quote(one['name'], safe='')}", generation=one["generation"])


def _fake(account: Account) -> Fake | None:
    return cast("GcpAccount", account).fake


def _plain(value: Any) -> Any:
    """Whole numbers as whole numbers: Pulumi's values have but one kind of number."""
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
