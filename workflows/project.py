"""A user's project: four files in one folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

from trivet.core.canonical import digest_json
from trivet.core.datacontract import DataContract
from trivet.core.errors import ConfigError
from trivet.core.policy import Policy
from trivet.core.project import Project, Variant

CONTRACT, TRAIN, POLICY, SETTINGS = "contract.yaml", "train.py", "policy.yaml", "trivet.yaml"
FILES = (CONTRACT, TRAIN, POLICY, SETTINGS)
DEFAULT_VARIANT = "default"


@dataclass(frozen=True)
class ProjectFiles:
    """The four files, read and checked."""

    folder: Path
    settings: Project
    contract: DataContract
    policy: Policy

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a project.

        :raises ConfigError: naming the file that is missing or wrong, and every mistake in it.
        """
        if missing := [name for name in FILES if not (folder / name).is_file()]:
            raise ConfigError(
                f"{folder} is no project: it lacks {', '.join(missing)}.",
                "Name a project's folder, or make one with `trivet init NAME --from FILE.csv --target COLUMN`.",
            )
        project = cls(
            folder.resolve(),
            Project.parse(_yaml(folder / SETTINGS), f"{folder.name}/{SETTINGS}"),
            DataContract.parse(_yaml(folder / CONTRACT), f"{folder.name}/{CONTRACT}"),
            Policy.parse(_yaml(folder / POLICY), f"{folder.name}/{POLICY}"),
        )
        project.check()
        return project

    def check(self) -> None:
        """What only shows when the files are read together.

        :raises ConfigError: naming columns that cannot be features, or that the contract lacks.
        """
        allowed = set(self.contract.features)
        if wrong := sorted(set(self.features) - allowed):
            raise ConfigError(
                f"{SETTINGS} lists features that {CONTRACT} bars or lacks: {', '.join(wrong)}.",
                "A target, a protected column and a leak are never features.",
            )
        if self.policy.fairness:
            names = {column.name for column in self.contract.columns}
            named = {name for group in self.policy.fairness.groups for name in (group.column, group.reference_column)}
            if missing := sorted(named - names):
                raise ConfigError(f"{POLICY} names columns that {CONTRACT} lacks: {', '.join(missing)}.")

    @property
    def features(self) -> tuple[str, ...]:
        """The columns that the model sees."""
        return self.settings.features or self.contract.features

    def variant(self, name: str) -> Variant:
        """A candidate's parameters and threshold, over those of the default.

        :raises ConfigError: for a name that the project lacks.
        """
        if name == DEFAULT_VARIANT:
            own = Variant()
        elif name in self.settings.variants:
            own = self.settings.variants[name]
        else:
            known = ", ".join((DEFAULT_VARIANT, *self.settings.variants))
            raise ConfigError(f"{self.settings.name} has no variant {name!r}.", f"Choose one of: {known}.")
        threshold = self.settings.decision.threshold if own.threshold is None else own.threshold
        return Variant(description=own.description, params={**self.settings.params, **own.params}, threshold=threshold)

    @property
    def variants(self) -> dict[str, Variant]:
        """Every candidate by name, the default first."""
        return {name: self.variant(name) for name in (DEFAULT_VARIANT, *self.settings.variants)}

    def policy_digest(self) -> str:
        """What an approval by policy refers to."""
        return digest_json(self.policy.model_dump(mode="json"))


def _yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no YAML: {error}.") from error
