"""The model registry where several stacks share a project."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from trivet.core.platform import Platform
from trivet.rehearsal.rigs.package import make_package


def test_stacks_whose_names_say_the_same_together_keep_their_own_models(
    tmp_path: Path, stack: Callable[..., Platform]
) -> None:
    one, two = stack(name="loan", prefix="loan"), stack(name="loan-dev", prefix="loan-dev")
    names, versions = ("dev-scores", "scores"), []
    for number, (platform, name) in enumerate(zip((one, two), names, strict=True)):
        make_package(tmp_path / name, intercept=5 + number / 10)
        versions.append(platform.models.register(name, tmp_path / name, author="ada", tags={}))
    assert [version.version for version in versions] == [1, 1]
    assert [one.models.get("dev-scores/1"), two.models.get("scores/1")] == versions
    assert [[*one.models.list()], [*two.models.list()]] == [[version] for version in versions]
    two.clear()
    assert [*two.models.list()] == []
    assert [*one.models.list()] == [versions[0]]
