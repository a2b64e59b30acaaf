"""What holds for model versions on every cloud: names, tags of users, and which version a handle means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from trivet.core.errors import ConfigError, NotFound
from trivet.core.refs import ModelRef
from trivet.core.specs import ModelVersion

OURS = "trivet."  # tags that begin so are not for users to set


def find(wanted: ModelRef, versions: Iterable[ModelVersion]) -> ModelVersion:
    """The version that is meant; of several the newest.

    :raises NotFound: when there is none.
    """
    found = [
        one
        for one in versions
        if wanted.version in (None, one.version) and (wanted.alias is None or wanted.alias in one.aliases)
    ]
    if not found:
        raise NotFound(f"There is no {wanted}.", "`trivet models list` shows what there is.")
    return max(found, key=lambda one: one.version)


def check_name(name: str) -> str:
    """The name, if it is a model's and no version's.

    :raises ConfigError: when it is not.
    """
    if ModelRef.parse(name) != ModelRef(name):
        raise ConfigError(f"{name!r} names a version, not a model.", "Give the model's name alone.")
    return name


def check_alias(name: str, alias: str) -> None:
    """:raises ConfigError: for a text that could not be asked for as ``NAME@ALIAS``."""
    try:
        fits = ModelRef.parse(f"{name}@{alias}").alias == alias
    except ConfigError:
        fits = False
    if not fits:
        raise ConfigError(f"{alias!r} is no alias.", "Use letters, digits, dots, dashes and underscores.")


def check_tags(tags: Mapping[str, str]) -> None:
    """:raises ConfigError: for a tag that is Trivet's own."""
    if reserved := [key for key in tags if key.startswith(OURS)]:
        raise ConfigError(f"The tag {reserved[0]!r} is Trivet's own.", f"Choose one that does not begin with {OURS}")
