"""What Pulumi's SDKs declare of a resource type: its inputs, which of them are required, and its outputs."""

from __future__ import annotations

import enum
import functools
import importlib
import inspect
import sys
import threading
import warnings
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal, TypeGuard, get_args, get_origin

from pulumi import Output, _types
from pulumi.runtime.rpc import get_resource_module

from trivet.core.errors import Unsupported

_PLUMBING = (type(None), Output)


@dataclass(frozen=True)
class Declared:
    """One resource type as its SDK declares it, by the names that travel on the wire.

    :param inputs: the type of each input.
    :param required: the inputs without which nothing is made.
    :param outputs: the type of each output.
    :param given: the outputs that are always there.
    """

    token: str
    inputs: dict[str, Any]
    required: frozenset[str]
    outputs: dict[str, Any]
    given: frozenset[str]


_IMPORTING = threading.RLock()  # the SDKs' modules load when first touched, and are not made for threads


@functools.cache
def declared(token: str) -> Declared:
    """What the SDK declares of a type. May be called from many threads.

    :raises Unsupported: when its SDK, which must be installed, knows no such type.
    """
    with _IMPORTING:
        return _declared(token)


def _declared(token: str) -> Declared:
    resource, arguments = classes(token)
    hints = _types._raw_return_hints(resource)
    return Declared(
        token=token,
        inputs=fields(arguments),
        required=required(arguments),
        outputs=_types.resource_types(resource),
        given=frozenset(name for name, hint in hints.items() if not _is_optional(hint)),
    )


def classes(token: str) -> tuple[type, type]:
    """The SDK's class of a type, and the class of its arguments.

    :raises Unsupported: when its SDK knows no such type.
    """
    package, module, _ = token.split(":")
    root = f"pulumi_{package.replace('-', '_')}"
    importlib.import_module(root)
    known = get_resource_module(package, module, "")
    name = known.mod_info["classes"].get(token) if known else None  # pyright: ignore[reportAttributeAccessIssue]
    if known is None or name is None:
        installed = version(root.replace("_", "-"))
        raise Unsupported(f"{root} {installed} has no resource type {token}.", "Correct the type's name.")
    with warnings.catch_warnings():  # that a module has deprecated types, too, is not the user's concern
        warnings.simplefilter("ignore", DeprecationWarning)
        resource = getattr(importlib.import_module(known.mod_info["fqn"]), name)  # pyright: ignore[reportAttributeAccessIssue]
    beside = sys.modules[resource.__module__]
    # Where a nested type has the name, the resource's own arguments have the other one.
    return resource, getattr(beside, f"{name}InitArgs", None) or getattr(beside, f"{name}Args")


def fields(arguments: type) -> dict[str, Any]:
    """The type of each field of a class of inputs or outputs."""
    return _types.input_type_types(arguments) if is_input(arguments) else _types.output_type_types(arguments)


@functools.cache
def required(arguments: type) -> frozenset[str]:
    """The fields that a class of inputs must be given."""
    names = _types.input_type_py_to_pulumi_names(arguments)
    parameters = inspect.signature(arguments).parameters
    return frozenset(
        names[name] for name, one in parameters.items() if name in names and one.default is inspect.Parameter.empty
    )


def is_input(kind: Any) -> bool:
    """Whether a type is a class of inputs."""
    return inspect.isclass(kind) and _types.is_input_type(kind)


def is_object(kind: Any) -> bool:
    """Whether a type is a class of inputs or of outputs, with declared fields."""
    return inspect.isclass(kind) and (_types.is_input_type(kind) or _types.is_output_type(kind))


def is_enum(kind: Any) -> TypeGuard[type[enum.Enum]]:
    """Whether a type is an enum."""
    return inspect.isclass(kind) and issubclass(kind, enum.Enum)


def options(kind: Any) -> list[Any]:
    """The types that a value may have, without ``None`` and without what only the program sees, such as ``Output``."""
    kind = _types.unwrap_type(kind)
    if not _types._is_union_type(kind):
        return [kind]
    members = [one for one in get_args(kind) if one not in _PLUMBING and not _is_wrapper(one)]
    return [inner for one in members for inner in options(one)]


def element(kind: Any) -> Any:
    """The type of what a list or a map holds."""
    arguments = get_args(kind)
    return arguments[-1] if arguments else Any


def constants(kind: Any) -> tuple[Any, ...]:
    """The values of a literal type; none for another."""
    return get_args(kind) if get_origin(kind) is Literal else ()


def _is_wrapper(kind: Any) -> bool:
    origin = get_origin(kind)
    return origin is Output or (origin is not None and getattr(origin, "__name__", "") == "Awaitable")


def _is_optional(hint: Any) -> bool:
    inner = get_args(hint)[0] if get_origin(hint) is Output else hint
    return type(None) in get_args(inner)
