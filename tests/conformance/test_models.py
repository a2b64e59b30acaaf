from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from trivet.core.errors import ConfigError, IntegrityError, Locked, NotFound
from trivet.core.modelpackage import MANIFEST, MODEL, SIGNATURE, Package
from trivet.core.platform import Platform
from trivet.core.refs import ModelRef
from trivet.core.signing import verify
from trivet.core.specs import Approval, ModelVersion
from trivet.core.waiting import wait_for
from trivet.platforms.store import get_folder
from trivet.rehearsal.rigs import Rig

NewPackage = Callable[[], Path]
Registered = Callable[[], ModelVersion]


def approval(status: str = "approved") -> Approval:
    now = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    return Approval(actor="grace", status=status, reason="it is good", identity="login of this machine", time=now)


def test_register_gives_a_version_with_everything_on_it(
    platform: Platform, new_package: NewPackage, new_name: Callable[[], str]
) -> None:
    package, name = new_package(), new_name()
    version = platform.models.register(name, package, author="ada", tags={"snapshot": "sha256:1"})
    assert (version.name, version.version, version.author) == (name, 1, "ada")
    assert version.digest == Package(package).digest
    assert version.tags == {"snapshot": "sha256:1"}
    assert (version.aliases, version.approval) == ((), None)
    assert abs((datetime.now(UTC) - version.created).total_seconds()) < 600
    assert platform.models.get(ModelRef(name, 1)) == version


def test_the_package_is_stored_whole_and_signed_with_the_stacks_key(
    platform: Platform, registered: Registered, tmp_path: Path
) -> None:
    version = registered()
    get_folder(platform.store, version.key, tmp_path / "package", last=MANIFEST)
    package = Package(tmp_path / "package")
    package.verify()
    verify(package, platform.outputs.signing.public_key)
    assert package.digest == version.digest


def test_the_same_digest_twice_is_one_version(rig: Rig, new_package: NewPackage, new_name: Callable[[], str]) -> None:
    package, name = new_package(), new_name()
    first = rig.platform.models.register(name, package, author="ada", tags={})
    assert rig.platform.models.register(name, package, author="ada", tags={}) == first
    assert rig.reconnect().models.register(name, package, author="grace", tags={"other": "tag"}) == first
    assert list(rig.platform.models.list(name)) == [first]


def test_two_registrars_at_once_make_one_version(
    rig: Rig, new_package: NewPackage, new_name: Callable[[], str]
) -> None:
    package, name = new_package(), new_name()

    def register(platform: Platform) -> ModelVersion:
        def attempt() -> ModelVersion | None:
            try:
                return platform.models.register(name, package, author="ada", tags={})
            except Locked:
                return None

        return wait_for(attempt, "The lock", seconds=60)

    with ThreadPoolExecutor() as pool:
        both = list(pool.map(register, [rig.platform, rig.reconnect()]))
    assert both[0] == both[1]
    assert len(rig.platform.models.list(name)) == 1


def test_another_digest_is_the_next_version_and_the_newest_comes_first(
    platform: Platform, new_package: NewPackage, new_name: Callable[[], str]
) -> None:
    name = new_name()
    one, two = (platform.models.register(name, new_package(), author="ada", tags={}) for _ in range(2))
    assert (one.version, two.version) == (1, 2)
    assert list(platform.models.list(name)) == [two, one]
    assert {(name, 1), (name, 2)} <= {(each.name, each.version) for each in platform.models.list()}
    assert platform.models.get(name) == two
    assert platform.models.get(f"models:/{name}/1") == one


def test_an_alias_points_to_one_version_and_moves(
    platform: Platform, new_package: NewPackage, new_name: Callable[[], str]
) -> None:
    name = new_name()
    one, two = (platform.models.register(name, new_package(), author="ada", tags={}) for _ in range(2))
    assert platform.models.tag(one, alias="champion").aliases == ("champion",)
    assert platform.models.get(f"models:/{name}@champion").version == one.version
    platform.models.tag(two, alias="champion")
    assert platform.models.get(f"{name}@champion").version == two.version
    assert platform.models.get(f"{name}/1").aliases == ()


def test_tags_and_an_approval_are_kept(rig: Rig, registered: Registered) -> None:
    version = registered()
    tagged = rig.platform.models.tag(version, tags={"a": "1", "b": "2"}, approval=approval())
    assert tagged.tags == {"a": "1", "b": "2"}
    assert tagged.approval == approval()
    rig.platform.models.tag(version, tags={"a": "3"}, approval=approval("rejected"))
    read = rig.reconnect().models.get(str(version))
    assert read.tags == {"a": "3", "b": "2"}
    assert read.approval == approval("rejected")


@pytest.mark.parametrize("ref", ["nobody", "nobody/1", "nobody@champion"])
def test_what_is_not_there_is_not_found(platform: Platform, ref: str) -> None:
    with pytest.raises(NotFound, match="nobody"):
        platform.models.get(ref)


def test_a_version_or_alias_that_is_not_there_is_not_found(platform: Platform, registered: Registered) -> None:
    version = registered()
    for ref in (f"{version.name}/999", f"{version.name}@nobody"):
        with pytest.raises(NotFound):
            platform.models.get(ref)
    with pytest.raises(NotFound):
        platform.models.tag(version.model_copy(update={"version": 999}), alias="champion")


def test_an_alias_that_could_not_be_asked_for_is_refused(platform: Platform, registered: Registered) -> None:
    version = registered()
    for alias in ("a b", "a/b", "a@b", "../a"):
        with pytest.raises(ConfigError):
            platform.models.tag(version, alias=alias)
    assert platform.models.get(str(version)).aliases == ()


@pytest.mark.parametrize("name", ["", "a/b", "a@b", "a b", "models:/a", "../a"])
def test_a_bad_name_is_refused(platform: Platform, new_package: NewPackage, name: str) -> None:
    with pytest.raises(ConfigError):
        platform.models.register(name, new_package(), author="ada", tags={})


def test_trivets_own_tags_cannot_be_set(platform: Platform, registered: Registered, new_package: NewPackage) -> None:
    with pytest.raises(ConfigError, match="trivet"):
        platform.models.tag(registered(), tags={"trivet.digest": "sha256:forged"})
    with pytest.raises(ConfigError, match="trivet"):
        platform.models.register("loan", new_package(), author="ada", tags={"trivet.approval": "{}"})


@pytest.mark.parametrize("harm", ["changed", "missing", "extra", "no manifest", "no folder"])
def test_a_package_that_is_not_what_its_manifest_says_is_refused(
    platform: Platform, new_package: NewPackage, new_name: Callable[[], str], harm: str
) -> None:
    package, name = new_package(), new_name()
    match harm:
        case "changed":
            data = (package / MODEL).read_bytes()
            (package / MODEL).write_bytes(bytes([data[0] ^ 1]) + data[1:])
        case "missing":
            (package / MODEL).unlink()
        case "extra":
            (package / "extra").write_text("")
        case "no manifest":
            (package / MANIFEST).unlink()
        case _:
            package = package / "nowhere"
    with pytest.raises(IntegrityError):
        platform.models.register(name, package, author="ada", tags={})
    assert list(platform.models.list(name)) == []


def test_a_signature_that_came_with_a_package_is_replaced(
    platform: Platform, new_package: NewPackage, tmp_path: Path
) -> None:
    package = new_package()
    (package / SIGNATURE).write_bytes(b"another stack's")
    version = platform.models.register("loan", package, author="ada", tags={})
    get_folder(platform.store, version.key, tmp_path / "package", last=MANIFEST)
    verify(Package(tmp_path / "package"), platform.outputs.signing.public_key)
