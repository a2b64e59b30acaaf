"""The kind of type whose objects really lie in moto: made, read, changed and deleted through boto3.

A type is declared by the operations of AWS's API that it uses; what each of them takes follows from botocore's service
model. What none of them takes is kept in the strict store beside it, and the listing says what that is.

A create that was cut off is found again by its name. Of an object whose id AWS chooses, such as a VPC, one that was cut
off within moto's own answer stays behind, as it would in AWS.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast, get_origin

from botocore.exceptions import ClientError

from trivet.core import faults
from trivet.core.errors import NotFound, PlatformError
from trivet.infra.engine.values import Properties
from trivet.rehearsal.plugins import compare, sdk
from trivet.rehearsal.plugins.aws import words
from trivet.rehearsal.plugins.aws.account import AwsAccount, AwsKind
from trivet.rehearsal.plugins.aws.clients import Clients, is_gone, is_taken
from trivet.rehearsal.plugins.aws.expressions import search
from trivet.rehearsal.plugins.aws.tagging import Tagging
from trivet.rehearsal.plugins.kinds import Account, Live, Taken, blanks

_SEEN = "seen"
WHERE = {"region"}  # inputs that say which client is asked


@dataclass(frozen=True)
class Moto(AwsKind):
    """A type of AWS. All expressions are JMESPath; in those that read an answer ``%(name)s`` stands for what is asked.

    :param make: the operation that makes one.
    :param get: the operation that reads one; :param at: where its answer has it; :param also: further reads.
    :param change: operations that change one, each called where something that it takes has changed.
    :param remove: the operation that deletes one.
    :param identity: the id, over the inputs and, as ``made``, the answer of ``make``.
    :param parts: inputs that follow from the ``id``, over it.
    :param keys: members that name the object to all operations but ``make``, over the inputs, ``id`` and the facts.
    :param fixed_members: members that ``make`` is always given, likewise.
    :param names: see :class:`words.Names`.
    :param reads: inputs and outputs over what was read, where their names do not do.
    :param wrap: the member of ``make`` and ``change`` in which the inputs are.
    :param outputs: outputs, as templates over inputs, facts and what was read.
    :param defaults: what the provider gives AWS where the program gives nothing.
    :param unread: inputs that AWS, or moto, takes but never gives back: they are taken to be as they were last known.
    :param stays: whether AWS keeps it until what it belongs to is deleted.
    """

    service: str = ""
    make: str = ""
    get: str = ""
    at: str = "@"
    also: Mapping[str, str] = field(default_factory=dict)
    change: tuple[str, ...] = ()
    remove: str = ""
    identity: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    fixed_members: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    reads: Mapping[str, str] = field(default_factory=dict)
    wrap: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    tagging: Tagging | None = None
    unread: str = ""
    stays: bool = False

    backend = "moto"

    # --- what the service model says -------------------------------------------------------------

    def takes(self, account: AwsAccount, operation: str) -> set[str]:
        """The inputs that an operation takes."""
        shape = self._shape(account, operation)
        whole = account.clients.shape(self.service, operation)
        inputs = set(self.declared.inputs) - WHERE
        by_key = {given for member, given in self.keys.items() if member in whole.members} & inputs
        return by_key | {name for name in inputs if words.find(self.names.get(name, name), shape.members)}

    def modelled(self, account: AwsAccount) -> set[str]:
        """The inputs that reach moto."""
        taken = [self.takes(account, operation) for operation in (self.make, *self.change)]
        return set().union(*taken, {"tags"} if self.tagging else set(), self._parts())

    def kept_beside(self) -> list[str]:
        """See :class:`Kind`; follows from the service models, and asks no one."""
        nowhere = cast("AwsAccount", SimpleNamespace(clients=Clients({}, "")))
        shown = self.modelled(nowhere) | WHERE | {self.prefix}
        return sorted(set(self.declared.inputs) - shown | {*self.unread.split()})

    def _shape(self, account: AwsAccount, operation: str) -> Any:
        shape = account.clients.shape(self.service, operation)
        for part in filter(None, self.wrap.split(".")):
            shape = shape.members[part] if shape.type_name == "structure" and part in shape.members else shape
        return shape

    # --- the verbs -------------------------------------------------------------------------------

    def is_same_object(self, account: Account, old: Properties, new: Properties) -> bool:
        """See :class:`Kind`; an id that AWS chooses is always another."""
        if "made" in self.identity:
            return False
        before, after = (search(self.identity, self.bag(account, one)) for one in (old, new))
        return before == after

    def create(self, account: Account, urn: str, inputs: Properties) -> tuple[str, Properties]:
        """See :class:`Kind`."""
        account = cast("AwsAccount", account)
        store = account.store
        earlier = store.unanswered(self.token, urn, inputs)
        if earlier and earlier.id and (live := self.read(account, earlier.id, inputs)):
            return live.id, live.outputs
        number = earlier.number if earlier else store.begin(self.token, urn, inputs)
        try:
            identity = self.begin(account, self._with_tags(account, inputs), resumed=earlier is not None)
        except BaseException:
            store.forget(number)
            raise
        if not store.finish(number, identity, {}):
            # An object that was deleted outside has left its entry behind.
            store.remove(self.token, identity)
            store.finish(number, identity, {})
        return identity, self._written(account, identity, inputs)

    def begin(self, account: AwsAccount, inputs: Properties, *, resumed: bool) -> str:
        """Make the object with all that belongs to it; returns its id.

        :param resumed: whether an earlier create was cut off, so that a part may be there.
        :raises Taken: when there is one already.
        """
        bag = self.bag(account, inputs)
        try:
            made = self.call(account, self.make, bag, self.fixed_members)
        except ClientError as error:
            if not is_taken(error):
                raise _told(self.token, error) from error
            if not resumed:
                raise Taken(f"{_said(error)}", "Import it, or give the new one another name.") from error
            made = {}
        faults.point("plugin.create.begun")
        identity = str(search(self.identity, {**bag, "made": made}))
        try:
            self.settle(account, identity, inputs, set(inputs) - self.takes(account, self.make))
        except Exception:
            self.delete(account, identity, inputs)  # so that a failed create leaves nothing
            raise
        return identity

    def settle(self, account: AwsAccount, identity: str, inputs: Properties, changed: Iterable[str]) -> None:
        """Bring what has changed to the object, by the operations that take it."""
        bag = self._bag_of(account, identity, inputs)
        changed = set(changed)
        tags = bag.pop("tags", {}) if self.tagging else {}
        for operation in self.change:
            if changed & self.takes(account, operation):
                try:
                    self.call(account, operation, bag, self.keys)
                except ClientError as error:
                    raise _told(self.token, error) from error
        if self.tagging and "tags" in changed:
            self.tag(account, {**bag, "tags": tags})

    def read(self, account: Account, identity: str, inputs: Properties) -> Live | None:
        """See :class:`Kind`."""
        account = cast("AwsAccount", account)
        kept = account.store.find(self.token, identity)
        found = self._found(account, identity, inputs)
        if found is None:
            return None
        there = self._inputs_in(account, found, inputs)
        known = inputs or (kept.inputs if kept else {})
        rest = {name: value for name, value in known.items() if name not in self._shown(account)}
        if inputs:
            seen = kept.outputs.get(_SEEN, {}) if kept else {}
            there = self._since(seen, there, inputs)
        else:
            there = {name: value for name, value in there.items() if value not in ({}, [], "")}
        settled = {**rest, **there}
        return Live(identity, settled, self._outputs(account, identity, settled, found))

    def update(self, account: Account, identity: str, old: Properties, new: Properties) -> Properties:
        """See :class:`Kind`."""
        account = cast("AwsAccount", account)
        changed = {name for name in {*old, *new} if not compare.is_equal(old.get(name), new.get(name))}
        cleared = {name: one for name in set(old) - set(new) if (one := self._cleared(name)) is not None}
        self.settle(account, identity, {**cleared, **self._with_tags(account, new)}, changed | {"tags"})
        return self._written(account, identity, new)

    def delete(self, account: Account, identity: str, inputs: Properties) -> None:
        """See :class:`Kind`."""
        account = cast("AwsAccount", account)
        try:
            self.undo(account, self._bag_of(account, identity, inputs))
        except ClientError as error:
            if not is_gone(error):
                raise _told(self.token, error) from error
        account.store.remove(self.token, identity)

    # --- what a type may do in its own way ---------------------------------------------------------

    def undo(self, account: AwsAccount, bag: Properties) -> None:
        """Delete the object in AWS."""
        if self.remove:
            self.call(account, self.remove, bag, self.keys, inputs=False)

    def live(self, account: AwsAccount, identity: str, inputs: Properties) -> Properties | None:
        """The object in AWS's words; none where it is gone."""
        bag = self._bag_of(account, identity, inputs)
        try:
            found = search(self.at % bag, self.call(account, self.get, bag, self.keys, inputs=False))
        except ClientError as error:
            if is_gone(error):
                return None
            raise _told(self.token, error) from error
        if not found:
            return None
        for operation, at in self.also.items():
            found = {**found, **(self._optional(account, operation, at, {**bag, **found}) or {})}
        if self.tagging and self.tagging.get:
            whom = {
                **bag,
                **self._outputs(account, identity, inputs, words.fields(self.declared.outputs, found, self.names)),
            }
            answer = self._optional(account, self.tagging.get, self.tagging.at, whom, self.tagging.whom) or {}
            member = next((name for name in answer if "tag" in name.lower()), "")
            found = {**found, "tags": answer.get(member) or {}}
        return found

    def tag(self, account: AwsAccount, bag: Properties) -> None:
        """Give the object the bag's tags, and no others."""
        tagging = cast("Tagging", self.tagging)
        live = self.live(account, bag["id"], bag) or {}
        found = words.fields(self.declared.outputs, live, self.names)
        old, new = found.get("tags") or {}, bag["tags"]
        whom = {**bag, **self._outputs(account, bag["id"], {}, found)}
        dropped = {name: value for name, value in old.items() if name not in new and not name.startswith("aws:")}
        if dropped:
            tagging.call(account.clients, self.service, tagging.drop, whom, dropped)
        if new and new != old:
            tagging.call(account.clients, self.service, tagging.put, whom, new)

    def translated(self, found: Properties, live: Properties) -> Properties:
        """What was read, where the words of the two declarations do not do."""
        return found

    def bag(self, account: Account, inputs: Properties) -> Properties:
        """What expressions and templates may name."""
        given = {name: value for name, value in inputs.items() if value is not None}
        return {**account.facts, **self.defaults, **given}

    def _cleared(self, name: str) -> Any:
        """What an input is set to that the program gives no more; none where AWS has no word for that."""
        kinds = sdk.options(self.declared.inputs[name])
        return "" if str in kinds else [] if any(get_origin(one) is Sequence for one in kinds) else None

    # --- small parts -------------------------------------------------------------------------------

    def _parts(self) -> Mapping[str, str]:
        """The inputs that follow from the id."""
        return {self.identity: "id", **self.parts} if self.identity in self.declared.inputs else self.parts

    def _bag_of(self, account: Account, identity: str, inputs: Properties) -> Properties:
        """What expressions and templates may name of an object that is there."""
        parts = {name: search(part, {"id": identity}) for name, part in self._parts().items()}
        return {**self.bag(account, inputs), **parts, "id": identity}

    def call(
        self, account: AwsAccount, operation: str, bag: Properties, members: Mapping[str, str], *, inputs: bool = True
    ) -> Properties:
        """Call an operation with the members that the bag's expressions give, and with the inputs that it takes."""
        whole = account.clients.shape(self.service, operation)
        parameters: Properties = {}
        if inputs:
            own = {name: value for name, value in bag.items() if name in self.declared.inputs and name not in WHERE}
            inner = words.members(self._shape(account, operation), own, self.names)
            parameters = self._wrapped(whole, inner)
        for member, expression in members.items():
            if member in whole.members and (value := search(expression, bag)) is not None:
                parameters[member] = value
        return account.clients.call(self.service, operation, parameters, bag.get("region", ""))

    def _wrapped(self, whole: Any, inner: Properties) -> Properties:
        parts = self.wrap.split(".") if self.wrap else []
        for part in reversed(parts if parts and parts[0] in whole.members else []):
            inner = {part: inner}
        return inner

    def _optional(
        self, account: AwsAccount, operation: str, at: str, bag: Properties, members: Mapping[str, str] | None = None
    ) -> Any:
        """An answer that may not be there."""
        try:
            answer = self.call(account, operation, bag, self.keys if members is None else members, inputs=False)
        except ClientError as error:
            if is_gone(error):
                return None
            raise _told(self.token, error) from error
        return search(at % bag, answer)

    def _outputs(self, account: AwsAccount, identity: str, inputs: Properties, found: Properties) -> Properties:
        declared = self.declared
        base = {**self.bag(account, inputs), **found, "id": identity}
        made = {name: value for name, value in {**found, **inputs}.items() if name in declared.outputs}
        made |= {name: template.format_map(base) for name, template in self.outputs.items()}
        where = {"region": base["region"]} if "region" in declared.outputs else {}
        return {**blanks(declared), **where, **made, **self.derived(account, inputs)}

    def _shown(self, account: AwsAccount) -> set[str]:
        """The inputs that an object in AWS shows."""
        return self.modelled(account) - {*self.unread.split()}

    def _found(self, account: AwsAccount, identity: str, inputs: Properties) -> Properties | None:
        """Everything that AWS says of an object, in the words of Pulumi's provider; none where it is gone."""
        live = self.live(account, identity, inputs)
        if live is None:
            return None
        found = words.fields(self.declared.inputs | self.declared.outputs, live, self.names)
        found |= {name: search(part, {"id": identity}) for name, part in self._parts().items()}
        found |= {name: search(where, live) for name, where in self.reads.items()}
        return {name: value for name, value in self.translated(found, live).items() if value is not None}

    def _inputs_in(self, account: AwsAccount, found: Properties, inputs: Properties) -> Properties:
        """The inputs among what was found."""
        shown = self._shown(account)
        there = {name: value for name, value in found.items() if name in self.declared.inputs and name in shown}
        return {**there, "tags": self._own_tags(account, found.get("tags") or {}, inputs)} if self.tagging else there

    def _since(self, seen: Properties, there: Properties, inputs: Properties) -> Properties:
        """The inputs with what has changed since they were written.

        :param seen: what was found right after the last write: what is still like that is as the program says, be it
            that AWS adds defaults or an order of its own, or that moto drops a part.
        """
        made: Properties = {}
        for name in {**inputs, **({"tags": {}} if there.get("tags") else {})}:
            if name in inputs and seen and there.get(name) == seen.get(name):
                made[name] = inputs[name]
            elif there.get(name) is not None:
                made[name] = compare.settled(inputs.get(name), there[name], self.declared.inputs[name])
        return made

    def _written(self, account: AwsAccount, identity: str, inputs: Properties) -> Properties:
        """Note what is found right after a write; returns the outputs."""
        found = self._found(account, identity, inputs)
        if found is None:
            raise NotFound(f"{self.token} {identity} is not there any more.", "Refresh the stack.")
        account.store.change(self.token, identity, inputs, {_SEEN: self._inputs_in(account, found, inputs)})
        return self._outputs(account, identity, inputs, found)

    def _with_tags(self, account: AwsAccount, inputs: Properties) -> Properties:
        derived = self.derived(account, inputs)
        return {**inputs, "tags": derived["tagsAll"]} if derived.get("tagsAll") else inputs

    def _own_tags(self, account: AwsAccount, live: Mapping[str, str], inputs: Properties) -> dict[str, str]:
        """The tags without those that the provider's config gives and the program does not."""
        own = inputs.get("tags") or {}
        return {
            name: value
            for name, value in live.items()
            if not name.startswith("aws:") and (name in own or account.labels.get(name) != value)
        }


def _said(error: ClientError) -> str:
    told = error.response.get("Error", {})
    return f"{error.operation_name}: {told.get('Code')}: {told.get('Message')}"


def _told(token: str, error: ClientError) -> PlatformError:
    return PlatformError(f"{token}: {_said(error)}")
