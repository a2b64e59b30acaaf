from __future__ import annotations

import io
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from trivet.core.modelpackage import Package
from trivet.core.signing import signer
from trivet.core.specs import Release
from trivet.platforms.local.endpoints import LocalEndpoints
from trivet.platforms.packages import put_package
from trivet.rehearsal.rigs.local import LocalRig
from trivet.rehearsal.rigs.package import make_package


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[LocalRig]:
    """A stack in a folder whose name needs care in URLs and shells."""
    folder = tmp_path / "a project's 100% folder"
    folder.mkdir()
    ready = LocalRig(folder)
    with ready:
        yield ready


@pytest.fixture
def stored(rig: LocalRig, tmp_path: Path) -> Callable[..., Release]:
    """A release whose signed package is in the store; no registry takes part."""

    def make(version: int = 1) -> Release:
        folder = tmp_path / f"package-{version}"
        make_package(folder, intercept=version / 10)
        package = Package(folder)
        put_package(rig.platform.store, package, signer((rig.home / "keys" / "signing.pem").read_bytes()))
        return Release(model="loan", version=version, digest=package.digest)

    return make


@pytest.fixture
def standing_in(rig: LocalRig) -> Callable[..., LocalEndpoints]:
    """The endpoints of the rig, but with a server that behaves as it is told."""
    script = Path(__file__).with_name("standin.py")

    def make(*behaviour: str) -> LocalEndpoints:
        outputs = rig.platform.outputs
        return LocalEndpoints(
            outputs.endpoints,
            rig.root,
            rig.platform.store,
            rig.home / "records",
            outputs.signing.public_key,
            rig.platform.check,
            command=(sys.executable, "-I", str(script), *behaviour),
        )

    return make


@pytest.fixture(scope="session")
def packed() -> Callable[[dict[str, str]], bytes]:
    """A packed source of text files."""

    def pack(files: dict[str, str]) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for name, text in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(text.encode())
                archive.addfile(member, io.BytesIO(text.encode()))
        return buffer.getvalue()

    return pack
