"""What one operation tells: lines for a person, Pulumi's event log for a program, and the summary of both."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trivet.infra.engine.state import Resource
from trivet.infra.engine.values import SHORTEST_SECRET, Properties, mask, secret_texts

_SIGNS = {
    "create": "+", "update": "~", "delete": "-", "replace": "+-",
    "read": ">", "import": "=", "refresh": "~", "same": " ",
}  # fmt: skip
_PAST = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "replace": "replaced",
    "same": "unchanged",
    "read": "read",
    "import": "imported",
    "refresh": "refreshed",
}


@dataclass(frozen=True)
class Violation:
    """What a policy finds wrong with a resource, or with the stack where there is no ``urn``."""

    policy: str
    pack: str
    version: str
    level: str
    message: str
    urn: str = ""

    @property
    def sentence(self) -> str:
        """What is wrong, without the full stop."""
        return f"{self.policy} of {self.pack}: {self.message}" + (
            f" ({self.urn.rsplit('::', 1)[-1]})" if self.urn else ""
        )


class Report:
    """Collects and shows. Its methods may be called from any thread.

    :param show: receives each line.
    :param log: the file that Pulumi's Automation API follows, one JSON event per line.
    """

    def __init__(self, show: Callable[[str], Any], log: Path | None = None, *, preview: bool = False) -> None:
        self.changes: Counter[str] = Counter()
        self.packs: dict[str, str] = {}  # versions of the policy packs by their names
        self._show = show
        self._log = log
        self._preview = preview
        self._sequence = 0
        self._hidden: dict[str, None] = {}
        self._started = time.monotonic()
        self._lock = threading.RLock()

    def hide(self, value: Any) -> None:
        """Show ``[secret]`` instead of every secret text in ``value`` from now on, wherever it turns up."""
        forms = (form for text in secret_texts(value) for form in _forms(text))
        new = {form for form in forms if len(form) >= SHORTEST_SECRET}
        with self._lock:
            if not new <= self._hidden.keys():
                longest_first = sorted(self._hidden.keys() | new, key=len, reverse=True)
                self._hidden = dict.fromkeys(longest_first)  # a text may be part of another

    def redacted(self, text: str) -> str:
        """The text without what is hidden."""
        for secret in self._hidden:
            text = text.replace(secret, "[secret]")
        return text

    def line(self, text: str) -> None:
        """One line, or several, of progress."""
        with self._lock:
            for line in self.redacted(text).splitlines() or [""]:
                self._show(line)

    def diagnostic(self, severity: str, message: str, urn: str = "") -> None:
        """What a program, a plugin or the engine has to say."""
        self.line(message if severity == "info" else f"{severity}: {message}")
        message = self.redacted(message)
        self._event("diagnosticEvent", {"severity": severity, "message": message, "color": "never", "urn": urn})

    def violation(self, found: Violation) -> None:
        """A policy is violated."""
        self.line(f"{found.level}: {found.sentence}.")
        body = {"resourceUrn": found.urn, "message": self.redacted(found.message), "enforcementLevel": found.level}
        self._event("policyEvent", body | _policy(found.policy, found.pack, found.version))

    def remediation(
        self, policy: str, pack: str, version: str, resource: Resource, before: Properties, after: Properties
    ) -> None:
        """A policy changed the inputs of a resource."""
        names = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
        self.line(f"remediate: {policy} of {pack} sets {', '.join(names)} of {resource.name}.")
        body = {"resourceUrn": resource.urn, "before": mask(before), "after": mask(after)}
        self._event("policyRemediationEvent", body | _policy(policy, pack, version))

    def begins(self, op: str, resource: Resource) -> None:
        """A step that changes something begins."""
        self._event("resourcePreEvent", self._step(op, resource))
        if not self._preview:
            self.line(f" {_SIGNS[op]:2} {resource.type} {resource.name} …")

    def ends(self, op: str, resource: Resource, changed: Sequence[str] = ()) -> None:
        """A step ended well.

        :param changed: the inputs for which it was done.
        """
        if resource.is_default_provider:
            return
        with self._lock:
            self.changes[op] += 1
        self._event("resOutputsEvent", self._step(op, resource))
        if op != "same":
            done = f"to {op}" if self._preview else _PAST[op]
            names = f" [diff: {', '.join(changed)}]" if changed else ""
            self.line(f" {_SIGNS[op]:2} {resource.type} {resource.name} {done}{names}")

    def summary(self) -> None:
        """The counts, after all steps."""
        seconds = int(time.monotonic() - self._started)
        changes = dict(self.changes)
        counts = [f"{changes[op]} {f'to {op}' if self._preview else _PAST[op]}" for op in _PAST if changes.get(op)]
        self.line(f"Resources: {', '.join(counts) or 'none'}. Duration: {seconds}s.")
        self._event(
            "summaryEvent",
            {"maybeCorrupt": False, "durationSeconds": seconds, "resourceChanges": changes, "PolicyPacks": self.packs},
        )

    def close(self) -> None:
        """End the event log, or the Automation API would follow it for five more seconds."""
        self._event("cancelEvent", {})

    def _step(self, op: str, resource: Resource) -> dict[str, Any]:
        about = {"urn": resource.urn, "type": resource.type, "provider": resource.provider}
        metadata: dict[str, Any] = {"op": op, **about, "logical": True}
        if self._preview and op != "delete":  # what is to be; afterwards the state tells
            metadata["new"] = {
                **about, "custom": resource.custom, "id": resource.id, "parent": resource.parent,
                "protect": resource.protect, "retainOnDelete": resource.retain_on_delete,
                "inputs": self._shown(resource.inputs),
            }  # fmt: skip
        return {"metadata": metadata, "planning": self._preview}

    def _shown(self, properties: Properties) -> Properties:
        """Properties as they may be told: no secret, and no copy of one."""
        return self._hiding(mask(properties))

    def _hiding(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {self.redacted(name): self._hiding(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._hiding(item) for item in value]
        text = value if isinstance(value, str) else json.dumps(value)
        return value if (told := self.redacted(text)) == text else told  # a number or a truth may be secret, too

    def _event(self, kind: str, body: dict[str, Any]) -> None:
        if self._log is None:
            return
        with self._lock, suppress(FileNotFoundError):  # its reader has gone away
            event = {"sequence": self._sequence, "timestamp": int(time.time()), kind: body}
            self._sequence += 1
            with self._log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(event) + "\n")


def _policy(policy: str, pack: str, version: str) -> dict[str, str]:
    tag = {"policyPackVersion": version, "policyPackVersionTag": version}
    return {"policyName": policy, "policyPackName": pack, "color": "never", **tag}


def _forms(text: str) -> list[str]:
    """The ways in which a text may turn up: as it is, in JSON, and line by line."""
    return [text, json.dumps(text)[1:-1], *map(str.strip, text.splitlines())]
