"""Policies that ask how a request came: it stands for one over TLS 1.3, and moto takes every condition for broken.

The fake answers in plain text on loopback. What a bucket's policy says of transport is therefore taken as met; that it
says so at all is what the rules about the stack check.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from moto.iam.access_control import IAMPolicyStatement, PermissionResult

SECURE, TLS = "aws:SecureTransport", "1.3"
TESTS: Mapping[tuple[str, str], Callable[[str], bool]] = {
    ("Bool", SECURE): lambda wanted: wanted == "true",
    ("NumericLessThan", "s3:TlsVersion"): lambda bound: float(TLS) < float(bound),
}

_of_moto = IAMPolicyStatement.is_action_permitted


def mend() -> None:
    """Have moto look at conditions about transport, and leave a statement out whose condition is not met."""
    IAMPolicyStatement.is_action_permitted = _permitted  # type: ignore[method-assign]


def _permitted(self: Any, *args: Any, **kwargs: Any) -> PermissionResult:
    conditions = self._statement.get("Condition")
    if not conditions or not all((test, key) in TESTS for test, keys in conditions.items() for key in keys):
        return _of_moto(self, *args, **kwargs)
    if not all(TESTS[test, key](str(value)) for test, keys in conditions.items() for key, value in keys.items()):
        return PermissionResult.NEUTRAL
    unconditional = {name: value for name, value in self._statement.items() if name != "Condition"}
    return _of_moto(IAMPolicyStatement(unconditional), *args, **kwargs)
