"""What all types of Google Cloud have in common: labels with the provider's own, and protection from deletion."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any

from trivet.core.errors import ConfigError
from trivet.infra.engine.values import Properties
from trivet.rehearsal.plugins import sdk
from trivet.rehearsal.plugins.gcp import rules
from trivet.rehearsal.plugins.kinds import FRESH, Account, Stored, stable_digits

_PLACES = ("project", "location", "region")


@dataclass(frozen=True)
class Google(Stored):
    """A type of Google Cloud.

    :param protected: whether it cannot be deleted until the program says so.
    :param numeric: whether its name is a number.
    :param overwrites: whether making what is there already changes it, as a part of a project's IAM policy does.
    """

    protected: bool = False
    numeric: bool = False
    overwrites: bool = False

    def choose_name(self, name: str, separator: str, end: str) -> str:
        """See :class:`Kind`; Google Cloud takes lower case only."""
        return stable_digits(name + end, 10) if self.numeric else super().choose_name(name, separator, end).lower()

    def bag(self, account: Account, inputs: Properties) -> dict[str, Any]:
        """See :class:`Stored`; what says no location is in the provider's region."""
        bag = super().bag(account, inputs)
        if "location" not in bag and "region" in bag:
            bag["location"] = bag["region"]
        return bag

    def common(self, bag: Mapping[str, Any]) -> Properties:
        """See :class:`Stored`."""
        now = bag["now"]
        times = ("createTime", "updateTime", "creationTimestamp", "timeCreated", "updated", "startTime")
        made: Properties = {
            "project": bag["project"],
            "projectNumber": int(bag["number"]),
            "uid": str(uuid.uuid4()),
            "etag": f'"{uuid.uuid4().hex[:12]}"',
            "fingerprint": uuid.uuid4().hex[:11] + "=",
            "labelFingerprint": uuid.uuid4().hex[:11] + "=",
            "state": "ACTIVE",
            **dict.fromkeys(times, now),
        }
        if "compute/" in self.token:
            made["selfLink"] = f"https://www.googleapis.com/compute/v1/{bag['id']}"
        # As these are numbers in some types and text in others.
        outputs = self.declared.outputs
        made = {name: value for name, value in made.items() if name in outputs and _fits(value, outputs[name])}
        return made | {name: bag[name] for name in ("location", "region") if name in outputs and name in bag}

    def derived(self, account: Account, inputs: Properties) -> Properties:
        """The labels that the object really has, the provider's own included."""
        if "effectiveLabels" not in self.declared.outputs:
            return {}
        labels = {**account.labels, **(inputs.get("labels") or {})}
        return {"effectiveLabels": labels, "pulumiLabels": labels}

    @property
    def short(self) -> str:
        """The type as it is written here: ``storage:Bucket``."""
        _, module, name = self.token.split(":")
        return f"{module.partition('/')[0]}:{name}"

    def create(self, account: Account, urn: str, inputs: Properties) -> tuple[str, Properties]:
        """See :class:`Kind`.

        :raises TrivetError: for what Google Cloud would refuse of it.
        """
        rules.check(account, self.short, inputs)
        rules.check_labels(self.derived(account, inputs).get("effectiveLabels", {}))
        identity = self._text(self.identity, self.bag(account, inputs))
        if self.overwrites and account.store.find(self.token, identity):
            return identity, self.update(account, identity, {}, inputs)
        if rules.is_kept(self.short):
            rules.refuse_burnt(account, self.token, self.short, identity)
        return super().create(account, urn, inputs)

    def delete(self, account: Account, identity: str, inputs: Properties) -> None:
        """See :class:`Kind`; a name that is not given again stays noted.

        :raises ConfigError: for an object that is protected.
        """
        there = account.store.find(self.token, identity)
        if there and self.protected and there.inputs.get("deletionProtection") is not False:
            raise ConfigError(
                f"{identity} is protected from deletion.", "Set deletion_protection=False, run up, then delete it."
            )
        super().delete(account, identity, inputs)
        if there and rules.is_kept(self.short):
            rules.burn(account, self.token, identity)


@dataclass(frozen=True)
class Member(Google):
    """Who has a role in the project: to add somebody who has it changes nothing."""

    def create(self, account: Account, urn: str, inputs: Properties) -> tuple[str, Properties]:
        """See :class:`Kind`."""
        identity = self._text(self.identity, self.bag(account, inputs))
        there = account.store.find(self.token, identity)
        return (identity, there.outputs) if there else super().create(account, urn, inputs)


def google(
    token: str,
    identity: str,
    fixed: str = "",
    *,
    outputs: dict[str, Any] | None = None,
    needs: tuple[str, ...] = (),
    protected: bool = False,
    numeric: bool = False,
    overwrites: bool = False,
    kind: type[Google] = Google,
    **served: Any,
) -> Google:
    """Declare a type by a short token such as ``storage:Bucket``.

    :param identity: the template of the id; the parts that are inputs always make another object, and the last is
        chosen where the program gives none.
    :param kind: the class, and :param served: what that says more.
    """
    module, name = token.split(":")
    full = f"gcp:{module}/{name[0].lower()}{name[1:]}:{name}"
    parts = [part for _, part, _, _ in Formatter().parse(identity) if part]
    chosen = next((part for part in reversed(parts) if part not in {*_PLACES, "number", *FRESH}), "")
    return kind(
        token=full,
        named=chosen,
        fixed=f"{' '.join(_PLACES)} {fixed}",
        identity=identity,
        outputs=outputs or {},
        needs=needs,
        protected=protected,
        numeric=numeric,
        overwrites=overwrites,
        **served,
    )


def _fits(value: Any, kind: Any) -> bool:
    return any(isinstance(value, one) for one in sdk.options(kind) if isinstance(one, type))
