"""Data files to pandas frames: nothing is guessed that the data contract knows."""

from __future__ import annotations

import warnings
from io import BytesIO
from typing import TYPE_CHECKING, Any

from trivet.core.datacontract import Column, DataContract
from trivet.core.errors import ConfigError, DataContractBroken

if TYPE_CHECKING:
    import pandas as pd

    from trivet.data.collect import Collected

CSV_COMPRESSION = {".csv": None, ".csv.gz": "gzip", ".csv.bz2": "bz2"}
PARQUET = ".parquet"
# What pandas takes for missing, unless the contract allows it as a category.
MISSING = frozenset(
    {"", " "}
    | {"NA", "N/A", "n/a", "#NA", "#N/A", "#N/A N/A", "<NA>", "NULL", "null", "None"}
    | {"NaN", "nan", "-NaN", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"}
)


def read_frame(collected: Collected, contract: DataContract) -> pd.DataFrame:
    """The rows of a CSV (plain, gzip or bzip2) or Parquet file, with the contract's columns in its order.

    Categories are read as text, so that ``01`` stays ``01``. The usual words for a missing value (``NA``, ``null`` ...)
    are read as one, except where the contract allows such a word as a category. Values are not checked yet: that is
    ``validate``.

    :raises ConfigError: when the file has another form, or cannot be parsed.
    :raises DataContractBroken: when it lacks columns of the contract, or has others.
    """
    import pandas as pd

    try:
        if collected.name.endswith(PARQUET):
            frame = pd.read_parquet(BytesIO(collected.data))
        else:
            frame = _read_csv(collected, contract)
    except (ValueError, OSError, EOFError, pd.errors.ParserWarning) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ConfigError(f"{collected.name} cannot be parsed: {reason}.", "Correct the file.") from error
    _same_columns(frame, contract, collected.name)
    return frame[[column.name for column in contract.columns]].reset_index(drop=True)


def _read_csv(collected: Collected, contract: DataContract) -> pd.DataFrame:
    import pandas as pd

    suffix = next((suffix for suffix in CSV_COMPRESSION if collected.name.endswith(suffix)), None)
    if suffix is None:
        known = ", ".join([*CSV_COMPRESSION, PARQUET])
        raise ConfigError(f"{collected.name} has no form that Trivet reads.", f"Give one of: {known}.")
    categories = [column.name for column in contract.columns if column.type == "category"]
    options: dict[str, Any] = {
        "dtype": dict.fromkeys(categories, "str"),
        "na_values": {column.name: sorted(MISSING - _words(column)) for column in contract.columns},
        "keep_default_na": False,
        "index_col": False,
        "low_memory": False,
        "compression": CSV_COMPRESSION[suffix],
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # a row longer than the header loses its end otherwise
        return pd.read_csv(BytesIO(collected.data), **options)


def _words(column: Column) -> set[str]:
    return {str(value) for value in column.allowed or ()} if column.type == "category" else set()


def _same_columns(frame: pd.DataFrame, contract: DataContract, name: str) -> None:
    promised = [column.name for column in contract.columns]
    complaints = [
        f"{verb} the {'columns' if len(names) > 1 else 'column'} {', '.join(names)}"
        for verb, names in (
            ("lacks", [column for column in promised if column not in frame.columns]),
            ("has beside it", [str(column) for column in frame.columns if column not in promised]),
        )
        if names
    ]
    if complaints:
        raise DataContractBroken(
            f"{name} is not what the data contract {contract.name} promises: it {' and '.join(complaints)}.",
            "Correct the data, or the columns of contract.yaml.",
        )
