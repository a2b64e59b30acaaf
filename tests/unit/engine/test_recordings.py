"""Golden recordings: the SDK's mocks and every engine are asked the same, request by request.

What is checked in under ``recordings`` is what an ``up`` asks, and where a preview knows less. After a change of a
program, or of the SDK, that is meant, write it anew and read the difference::

    make test ARGS="tests/unit/engine/test_recordings.py" GOLDEN=write

A test that wrote fails all the same, so that this never makes a run pass.
"""

from __future__ import annotations

import base64
import difflib
import itertools
import json
import os
import pickletools
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from trivet.infra.driver import Driver

HERE = Path(__file__).parent
GOLDEN = HERE / "recordings"
WRITES = os.environ.get("GOLDEN") == "write"

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SIGNATURE = "4dabf18193072939515e22adb298388d"
MARKED = {
    "1b47061264138c4ac30d75fd1eb44270": "<secret>",
    "c44067f5952c0a294b673a41bacd8c17": "<asset>",
    "0def7320c3a5731c473e5ecbe6d01bc7": "<archive>",
}
WHERE_IT_STANDS = {"sourcePosition", "stackTrace", "parentStackTraceHandle"}
WIDTH = 120
IN_NO_ORDER = {"dependencies", "urns"}


@dataclass(frozen=True)
class Case:
    """One program with one config."""

    program: str
    project: str
    config: dict[str, str]
    secret: dict[str, str] = field(default_factory=dict)


LOCAL = {"trivet:cloud": "local", "trivet:region": "local"}
REGULATED = {"trivet:regulated": "true", "trivet:endpoints": '["loan", {"name": "other"}]'}
CASES = {
    "shelf": Case("shelf.py", "trial", {"trivet:cloud": "local"}, {"trial:word": "from the config"}),
    "local": Case("local.py", "trivet", {**LOCAL, "trivet:environment": "dev"}),
    "local-regulated": Case("local.py", "trivet", {**LOCAL, **REGULATED, "trivet:environment": "prod"}),
}
RECORDERS = [
    "mocks",
    "embedded",
    pytest.param(
        "pulumi", marks=pytest.mark.skipif(not shutil.which("pulumi"), reason="the pulumi CLI is not on PATH")
    ),
]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("recorder", RECORDERS)
def test_it_is_asked_what_the_golden_recording_says(recorder, name, tmp_path, on_path, monkeypatch, request):
    project = make(tmp_path, CASES[name])
    monkeypatch.setenv("RECORDING", str(tmp_path / "recording"))
    asked = (mocked if recorder == "mocks" else driven)(project, CASES[name], recorder)
    if recorder != "mocks":
        request.node.user_properties.append(("engine", recorder))
    preview, up = (by_subject(tidy(one, project) for one in recording) for recording in asked)
    compare(written(both(preview, up)) + "\n", GOLDEN / f"{name}.json", writes=WRITES and recorder == "mocks")


def test_writing_a_recording_anew_makes_no_test_pass(tmp_path):
    golden = tmp_path / "some.json"
    for writes in (False, True):
        with pytest.raises(pytest.fail.Exception, match=r"\+asked"):
            compare("asked\n", golden, writes=writes)
    compare("asked\n", golden, writes=False)
    with pytest.raises(pytest.fail.Exception, match=r"-asked\n\+asked more"):
        compare("asked more\n", golden, writes=False)


def compare(text: str, golden: Path, *, writes: bool) -> None:
    """Fail with what differs."""
    known = golden.read_text() if golden.exists() else ""
    if text == known:
        return
    lines = [one.splitlines(keepends=True) for one in (known, text)]
    difference = "".join(difflib.unified_diff(*lines, f"{golden.name}, checked in", "as it is asked now"))
    if writes:
        golden.write_text(text)
    pytest.fail(f"{'Written anew, read what changed' if writes else 'It is asked otherwise'}:\n{difference}", False)


def make(root: Path, case: Case) -> Path:
    """A project with the program, the recorder and what the program finds outside."""
    program = root / "program"
    (program / "folder").mkdir(parents=True)
    (root / "Pulumi.yaml").write_text(f"name: {case.project}\nruntime: python\nmain: program/\n")
    shutil.copy(HERE / "recorder.py", program)
    shutil.copy(GOLDEN / case.program, program / "__main__.py")
    (root / "world").mkdir()
    there = {"title": "imported", "pages": 100, "label": "hall: imported", "number": 7}
    (root / "world" / "hall-imported-").write_text(json.dumps(there))
    # The stack's key is kept where there is one, and so is the same in every recording.
    key = ec.derive_private_key(1, ec.SECP256R1())
    path = root / ".trivet" / "dev" / "keys" / "signing.pem"
    path.parent.mkdir(parents=True)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return root


def driven(root: Path, case: Case, engine: str) -> Iterator[list[dict[str, Any]]]:
    """What an engine is asked by a preview and an up, as users call them."""
    driver = Driver(root, "dev", root / ".trivet" / "dev", engine)
    driver.set_config(case.config, case.secret)
    for verb in (driver.preview, driver.up):
        verb()
        yield recorded(root)


def mocked(root: Path, case: Case, recorder: str) -> Iterator[list[dict[str, Any]]]:
    """What the mocks are asked."""
    asked = {"project": case.project, "stack": "dev", "config": case.config | case.secret, "secret": [*case.secret]}
    for preview in (True, False):
        command = [sys.executable, str(HERE / "mocked.py"), json.dumps({**asked, "preview": preview})]
        subprocess.run(command, cwd=root / "program", check=True, timeout=60)
        yield recorded(root)


def recorded(root: Path) -> list[dict[str, Any]]:
    lines = (root / "recording").read_text().splitlines()
    (root / "recording").unlink()
    return [json.loads(line) for line in lines]


def by_subject(requests: Iterator[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """In the order of what is asked about what: the SDK asks as values become known."""
    names = ("method", "type", "tok", "urn", "parent", "name", "args")
    asked = {" ".join(str(one[name]) for name in names if name in one): one for one in requests}
    return dict(sorted(asked.items()))


def tidy(value: Any, root: Path, name: str = "") -> Any:
    """A request, readable and without what differs from run to run."""
    if isinstance(value, dict):
        kind = MARKED.get(value.get(SIGNATURE, ""))
        if kind:
            value = {kind: value["value"] if kind == "<secret>" else {k: v for k, v in value.items() if k != SIGNATURE}}
        return {
            key: tidy(item, root, key if kind is None else name)
            for key, item in value.items()
            if key not in WHERE_IT_STANDS
        }
    if isinstance(value, list):
        if name == "transforms":  # an address and a token of the process
            return ["<callback>" for _ in value]
        items = [tidy(item, root) for item in value]
        return sorted(items) if name in IN_NO_ORDER else items
    if name == "port" and isinstance(value, float):
        return "<a free port>"
    return tidied(value, root, name) if isinstance(value, str) else value


def tidied(text: str, root: Path, name: str) -> str:
    if name == "__provider":
        return provider(text)
    if name == "provider":  # engines choose the ids of providers at random
        return text.rpartition("::")[0] + "::<id>"
    return "<unknown>" if text == UNKNOWN else text.replace(str(root), "<root>")


def provider(pickled: str) -> str:
    """The class of a dynamic provider, which is pickled by its name."""
    texts = [argument for _, argument, _ in pickletools.genops(base64.b64decode(pickled)) if isinstance(argument, str)]
    return next(".".join(pair) for pair in itertools.pairwise(texts) if pair[0].startswith("trivet."))


def both(preview: dict[str, Any], up: dict[str, Any]) -> list[Any]:
    """What a preview and an up ask; of what needs a value that only an up knows, the preview asks nothing."""
    assert preview.keys() <= up.keys()
    return [merged(preview[key], asked) if key in preview else {"<up only>": asked} for key, asked in up.items()]


def merged(preview: Any, up: Any) -> Any:
    """Both in one: a preview says the same, or that it does not know."""
    if isinstance(up, dict) and isinstance(preview, dict) and up.keys() == preview.keys():
        return {key: merged(preview[key], up[key]) for key in up}
    if isinstance(up, list) and isinstance(preview, list) and len(up) == len(preview):
        return [merged(*pair) for pair in zip(preview, up, strict=True)]
    if preview == up:
        return up
    assert preview == "<unknown>", f"a preview says {preview}, an up {up}"
    return {"<preview>": preview, "<up>": up}


def written(value: Any, indent: str = "") -> str:
    """JSON with what fits on a line on one line."""
    flat = json.dumps(value, sort_keys=True, ensure_ascii=False)
    if len(indent + flat) <= WIDTH or not isinstance(value, dict | list):
        return flat
    deeper = indent + "  "
    names = [""] * len(value) if isinstance(value, list) else [f"{json.dumps(name)}: " for name in sorted(value)]
    items = value if isinstance(value, list) else [value[name] for name in sorted(value)]
    lines = [f"{deeper}{name}{written(item, deeper)}" for name, item in zip(names, items, strict=True)]
    begin, end = "[]" if isinstance(value, list) else "{}"
    return "\n".join([begin, ",\n".join(lines), indent + end])
