"""Pulumi's provider protocol in front of one package's stand-in: the raw service, as the engine calls it."""
# ruff: noqa: N802 — names and parameters of the protocol

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, plugin_pb2, provider_pb2, provider_pb2_grpc

from trivet.core import faults
from trivet.core.errors import NotFound, TrivetError, Unsupported
from trivet.infra.engine.values import UNKNOWN, Properties, from_struct, has_unknown, reveal, to_struct
from trivet.rehearsal.plugins import compare, naming
from trivet.rehearsal.plugins.checks import check_inputs, check_outputs
from trivet.rehearsal.plugins.kinds import Account, Kind
from trivet.rehearsal.plugins.packages import Package, fixed
from trivet.rehearsal.plugins.store import Store

_CODES: dict[type[TrivetError], grpc.StatusCode] = {
    Unsupported: grpc.StatusCode.UNIMPLEMENTED,
    NotFound: grpc.StatusCode.NOT_FOUND,
}

_THE_USER_S = {"tags", "labels"}
"""Inputs that no cloud gives a default."""


def _answers(method: Callable[..., Any]) -> Callable[..., Any]:
    """Tell the engine an error of ours in its one sentence, and any other with its type."""

    @functools.wraps(method)
    def answer(self: Provider, request: Any, context: Any) -> Any:
        try:
            return method(self, request, context)
        except TrivetError as error:
            code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), None)
            context.abort(code or grpc.StatusCode.FAILED_PRECONDITION, str(error))
        except Exception as error:  # noqa: BLE001 the engine is told, whatever it is
            context.abort(grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}")

    return answer


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """Serves one package. It takes no secrets: the engine strips them and marks them again, so that none is stored
    with a mark that the back end would not understand."""

    def __init__(self, package: Package, store: Store, engine: str) -> None:
        self._package = package
        self._store = store
        self._engine = engine
        self._account: Account | None = None

    def Handshake(self, request: Any, context: Any) -> Any:
        self._engine = request.engine_address or self._engine
        return provider_pb2.ProviderHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=self._package.version)

    @_answers
    def CheckConfig(self, request: Any, context: Any) -> Any:
        news = reveal(from_struct(request.news))
        if not has_unknown(news):
            self._package.configure(news, self._store)
        return provider_pb2.CheckResponse(inputs=request.news)

    @_answers
    def DiffConfig(self, request: Any, context: Any) -> Any:
        old, new = (reveal(from_struct(one)) for one in (request.old_inputs, request.news))
        return compare.response(compare.changes(old, new), self._package.moving, delete_first=False)

    @_answers
    def Configure(self, request: Any, context: Any) -> Any:
        config = reveal(from_struct(request.args))
        if not has_unknown(config):
            self._account = self._package.configure(config, self._store)
        return provider_pb2.ConfigureResponse(
            acceptSecrets=False, supportsPreview=True, acceptResources=False, acceptOutputs=False
        )

    @_answers
    def Check(self, request: Any, context: Any) -> Any:
        kind = self._package.kind(_type(request.urn))
        olds, news = from_struct(request.olds), from_struct(request.news)
        key = "" if kind.named in kind.declared.required else kind.named
        inputs = naming.with_name(news, olds, key, self._new_name(kind, news, request))
        found = check_inputs(kind.declared, inputs)
        self._warn(request.urn, found.warnings)
        failures = [provider_pb2.CheckFailure(property=path, reason=reason) for path, reason in found.failures]
        return provider_pb2.CheckResponse(inputs=to_struct(inputs), failures=failures)

    @_answers
    def Diff(self, request: Any, context: Any) -> Any:
        account, kind = self._ready(), self._package.kind(_type(request.urn))
        account.store.acknowledge(kind.token, request.id)
        old, new = from_struct(request.old_inputs), from_struct(request.news)
        found = compare.changes(compare.without_provider_s_own(old), compare.without_provider_s_own(new))
        if naming.is_found(old):  # all that the program says nothing of is left as it is, but what is the user's alone
            found = {path: change for path, change in found.items() if change != "delete" or path in _THE_USER_S}
        if not has_unknown(new):
            found |= self._derived_changes(account, kind, from_struct(request.olds), new)
        collides = (
            not has_unknown(new) and not naming.is_chosen(new, kind.named) and kind.is_same_object(account, old, new)
        )
        return compare.response(found, fixed(kind), delete_first=collides)

    @_answers
    def Create(self, request: Any, context: Any) -> Any:
        account, kind = self._ready(), self._package.kind(_type(request.urn))
        inputs = _own_inputs(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=to_struct(_foreseen(account, kind, inputs)))
        identity, outputs = kind.create(account, request.urn, inputs)
        faults.point("plugin.create.done")
        return provider_pb2.CreateResponse(id=identity, properties=to_struct(_declared(kind, outputs)))

    @_answers
    def Read(self, request: Any, context: Any) -> Any:
        account, kind = self._ready(), self._package.kind(_type(request.urn))
        known = from_struct(request.inputs)
        account.store.acknowledge(kind.token, request.id)
        live = kind.read(account, request.id, compare.without_provider_s_own(known))
        if live is None:
            return provider_pb2.ReadResponse()
        noted = {name: value for name, value in known.items() if name.startswith("__")}
        if not (known or request.properties.fields):
            noted = naming.FOUND
        return provider_pb2.ReadResponse(
            id=live.id,
            inputs=to_struct({**live.inputs, **noted}),
            properties=to_struct(_declared(kind, live.outputs)),
        )

    @_answers
    def Update(self, request: Any, context: Any) -> Any:
        account, kind = self._ready(), self._package.kind(_type(request.urn))
        olds, new = from_struct(request.olds), _own_inputs(request.news)
        if request.preview:
            kept = {name: value for name, value in olds.items() if name not in _own_inputs(request.old_inputs)}
            foreseen = {**kept, **_foreseen(account, kind, new, known=kept)}
            return provider_pb2.UpdateResponse(properties=to_struct(foreseen))
        outputs = kind.update(account, request.id, _own_inputs(request.old_inputs), new)
        return provider_pb2.UpdateResponse(properties=to_struct(_declared(kind, outputs)))

    @_answers
    def Delete(self, request: Any, context: Any) -> Any:
        account, kind = self._ready(), self._package.kind(_type(request.urn))
        account.store.acknowledge(kind.token, request.id)
        kind.delete(account, request.id, _own_inputs(request.old_inputs))
        return empty_pb2.Empty()

    @_answers
    def Invoke(self, request: Any, context: Any) -> Any:
        given = self._package.function(request.tok)(self._ready(), from_struct(request.args))
        answer: dict[str, Any] = {"return": to_struct(given)}  # a word of Python's
        return provider_pb2.InvokeResponse(**answer)

    def Cancel(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def _ready(self) -> Account:
        if self._account is None:
            raise Unsupported("The provider's config is not known yet.", "Run up, which makes what it depends on.")
        return self._account

    def _derived_changes(self, account: Account, kind: Kind, olds: Properties, new: Properties) -> dict[str, str]:
        """What the provider would change of its own accord, such as the tags that its config gives every object."""
        derived = kind.derived(account, new)
        found: dict[str, str] = {}
        for name, value in derived.items():
            found |= compare.changes(olds.get(name), value, name)
        return found

    def _new_name(self, kind: Kind, inputs: Properties, request: Any) -> str:
        """What a new object is called to which the program gives no name, but perhaps a beginning of one."""
        end = functools.partial(naming.random_end, request.randomSeed, request.urn)
        if beginning := inputs.get(kind.prefix):
            return f"{beginning}{end(naming.LONG)}"
        return kind.choose_name(request.urn.rsplit("::", 1)[-1], self._package.separator, end(self._package.digits))

    def _warn(self, urn: str, warnings: list[tuple[str, str]]) -> None:
        if not (warnings and self._engine):
            return
        with grpc.insecure_channel(self._engine) as channel:
            stub = engine_pb2_grpc.EngineStub(channel)
            for path, reason in warnings:
                text = f"{path}: {reason}"
                stub.Log(engine_pb2.LogRequest(severity=engine_pb2.WARNING, message=text, urn=urn), timeout=30)


def _type(urn: str) -> str:
    return urn.split("::")[2].rsplit("$", 1)[-1]


def _own_inputs(struct: Any) -> Properties:
    return compare.without_provider_s_own(from_struct(struct))


def _foreseen(account: Account, kind: Kind, inputs: Properties, known: Collection[str] = ()) -> Properties:
    """The outputs as far as a preview knows them: what the program gives, and that the rest comes with the apply.

    :param known: names of outputs that the object has and keeps.
    """
    declared = kind.declared
    given = {name: value for name, value in inputs.items() if name in declared.outputs}
    made = {name: UNKNOWN for name in declared.outputs if name not in declared.inputs and name not in known}
    derived = {name: UNKNOWN if has_unknown(one) else one for name, one in kind.derived(account, inputs).items()}
    return {**made, **given, **derived}


def _declared(kind: Kind, outputs: Properties) -> Properties:
    """:raises AssertionError: for an output that the SDK does not declare: the program could not see it."""
    surplus = check_outputs(kind.declared, outputs)
    if surplus:
        raise AssertionError(f"{kind.token} has no outputs {', '.join(surplus)}")
    return outputs
