"""A new project from a CSV file: the four files, written to be read and changed."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from importlib import resources
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import yaml

from trivet.core.errors import ConfigError
from trivet.core.layout import PROJECT_FILE
from trivet.workflows.project import CONTRACT, POLICY, SETTINGS, TRAIN, ProjectFiles

if TYPE_CHECKING:
    import pandas as pd

MAX_CATEGORIES = 50
SHOWN = 5
AFFIRMATIVE = {"1", "1.0", "yes", "y", "true", "t"}
_NAME = re.compile(r"^[a-z0-9][a-z0-9-]{0,62}$")
_COLUMN = re.compile(r"^[A-Za-z_][A-Za-z0-9_.-]*$")


def init(
    name: str, source: Path, target: str, *, positive: str = "", protected: tuple[str, ...] = (), folder: Path
) -> ProjectFiles:
    """Write the project ``folder/name`` for the table in ``source``, and the Pulumi files above it if there are none.

    ``positive`` is the target's value that counts as a yes; it may be left out where one of the two is 1, yes or true.
    Each protected column is compared by its rarest against its commonest value.

    :raises ConfigError: when a name, the file or a column will not do.
    """
    if not _NAME.match(name):
        raise ConfigError(f"{name!r} is no project name.", "Use lower-case letters, digits and hyphens.")
    home = folder / name
    if home.exists():
        raise ConfigError(f"{home} exists.", "Choose another name, or remove it.")
    frame = _read(source)
    _check_columns(frame, target, protected)
    yes, no = _classes(frame[target], target, positive)
    columns = [_column(frame[column], column, target, protected) for column in frame.columns]
    features = [column["name"] for column in columns if _usable(frame[column["name"]], column)]
    if not features:
        raise ConfigError(f"{source.name} has no column beside {target} that a model could learn from.")
    values = {
        "name": name,
        "path": _quoted(os.path.relpath(source.resolve(), home.resolve())),
        "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "features": _dump(features),
        "left_out": ", ".join(_left_out(columns, features)) or "none",
        "positive": _quoted(yes),
        "negative": _quoted(no),
        "columns": _dump(columns, indent=2),
        "fairness": _fairness(frame, protected),
    }
    draft = folder / f".{name}.part"  # a project is there as a whole or not at all
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for file in (CONTRACT, TRAIN, POLICY, SETTINGS):
        (draft / file).write_text(_template(file).substitute(values), encoding="utf-8")
    scaffold(folder)
    draft.rename(home)
    return ProjectFiles.read(home)


def scaffold(folder: Path) -> None:
    """Write ``Pulumi.yaml`` and the three-line program where no parent has them."""
    if any((parent / PROJECT_FILE).is_file() for parent in (folder.resolve(), *folder.resolve().parents)):
        return
    (folder / "infra").mkdir(parents=True, exist_ok=True)
    (folder / "infra" / "__main__.py").write_text(_template("program.py").template)
    (folder / PROJECT_FILE).write_text(_template(PROJECT_FILE).template)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text(".trivet/\n")


def _template(name: str) -> Template:
    return Template((resources.files("trivet.workflows") / "templates" / f"{name}.txt").read_text("utf-8"))


def _read(source: Path) -> pd.DataFrame:
    """The table as ``data.frames`` will read it: what is no number is text as it is spelled, booleans too."""
    import pandas as pd

    if not source.is_file():
        raise ConfigError(f"There is no file {source}.")
    try:
        typed, text = pd.read_csv(source, low_memory=False), pd.read_csv(source, dtype="str")
    except (ValueError, OSError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ConfigError(f"{source.name} cannot be read: {reason}.", "Give a CSV file in UTF-8.") from error
    return pd.DataFrame({name: typed[name] if _is_number(typed[name]) else text[name] for name in typed.columns})


def _is_number(values: pd.Series) -> bool:
    import pandas as pd

    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def _check_columns(frame: pd.DataFrame, target: str, protected: tuple[str, ...]) -> None:
    if missing := [column for column in (target, *protected) if column not in frame.columns]:
        raise ConfigError(
            f"The file has no column {', '.join(missing)}.", f"Its columns are: {', '.join(map(str, frame.columns))}."
        )
    if target in protected:
        raise ConfigError(f"{target} is the target and cannot be protected as well.")
    if wrong := [column for column in frame.columns if not _COLUMN.match(str(column))]:
        raise ConfigError(
            f"These column names will not do: {', '.join(map(repr, wrong))}.",
            "Begin with a letter; use letters, digits, dots, hyphens and underscores.",
        )


def _classes(values: pd.Series[Any], target: str, positive: str) -> tuple[str, str]:
    found = sorted(str(value) for value in values.dropna().unique())
    if len(found) != 2:
        shown = f"{', '.join(found[:SHOWN])}{' ...' if len(found) > SHOWN else ''}"
        raise ConfigError(f"{target} has {len(found)} values ({shown}); a binary decision needs two.")
    if positive and positive not in found:
        raise ConfigError(f"{target} has no value {positive!r}.", f"It has: {', '.join(found)}.")
    plain = [value for value in found if value.casefold() in AFFIRMATIVE]
    if not positive and len(plain) != 1:
        raise ConfigError(f"Which value of {target} is the positive one?", f"Add --positive {found[0]} or {found[1]}.")
    yes = positive or plain[0]
    return yes, next(value for value in found if value != yes)


def _column(values: pd.Series[Any], name: str, target: str, protected: tuple[str, ...]) -> dict[str, Any]:
    import pandas as pd

    column: dict[str, Any] = {"name": name}
    if not _is_number(values):
        column["type"] = "category"
    else:
        column["type"] = "integer" if pd.api.types.is_integer_dtype(values) else "number"
    if name == target:
        column["tags"] = ["target"]
    elif name in protected:
        column["tags"] = ["protected"]
    if name != target and bool(values.isna().any()):  # a row without an outcome goes to quarantine
        column["nullable"] = True
    if column["type"] == "category" and values.nunique() <= MAX_CATEGORIES:
        column["allowed"] = sorted(str(value) for value in values.dropna().unique())
    return column


def _usable(values: pd.Series[Any], column: dict[str, Any]) -> bool:
    constant = values.nunique() < 2
    free_text = column["type"] == "category" and "allowed" not in column
    number_per_row = column["type"] == "integer" and values.is_unique
    return not (column.get("tags") or constant or free_text or number_per_row)


def _left_out(columns: list[dict[str, Any]], features: list[str]) -> list[str]:
    return [column["name"] for column in columns if not column.get("tags") and column["name"] not in features]


def _fairness(frame: pd.DataFrame, protected: tuple[str, ...]) -> str:
    if not protected:
        return ""
    groups = []
    for column in protected:
        counts = frame[column].value_counts()
        rarest, commonest = counts.index[-1], counts.index[0]
        groups.append(
            {
                "name": f"{column} {rarest}",
                "column": column,
                "value": _plain(rarest),
                "reference_column": column,
                "reference_value": _plain(commonest),
            }
        )
    return _template("fairness.yaml").substitute(groups=_dump(groups, indent=4))


def _plain(value: Any) -> float | str:
    return value if isinstance(value, str) else float(value)


def _quoted(text: str) -> str:
    return yaml.safe_dump(text, default_style='"', allow_unicode=True, width=float("inf")).rstrip()


def _dump(value: Any, indent: int = 2) -> str:
    text = yaml.safe_dump(value, sort_keys=False, default_flow_style=None, allow_unicode=True, width=110)
    return "".join(f"{' ' * indent}{line}\n" for line in text.splitlines()).rstrip()
