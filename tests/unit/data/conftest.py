"""The mortgage example's data and a store in a folder."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml

from trivet.core.datacontract import DataContract
from trivet.core.project import Project
from trivet.data.collect import Collected, collect
from trivet.data.frames import read_frame
from trivet.data.validate import Validation, validate
from trivet.platforms.store import ObjectStore

EXAMPLE = Path(__file__).parents[3] / "examples" / "loan_approval"


@pytest.fixture(scope="session")
def loan_contract() -> DataContract:
    return DataContract.parse(yaml.safe_load((EXAMPLE / "contract.yaml").read_text()), "contract.yaml")


@pytest.fixture(scope="session")
def loan_project() -> Project:
    return Project.parse(yaml.safe_load((EXAMPLE / "trivet.yaml").read_text()), "trivet.yaml")


@pytest.fixture(scope="session")
def loan_file(loan_project: Project) -> Collected:
    return collect(loan_project.source, EXAMPLE)


@pytest.fixture(scope="session")
def loan_frame(loan_file: Collected, loan_contract: DataContract) -> pd.DataFrame:
    return read_frame(loan_file, loan_contract)


@pytest.fixture(scope="session")
def loan_validation(loan_frame: pd.DataFrame, loan_contract: DataContract) -> Validation:
    return validate(loan_frame, loan_contract)


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(f"file://{tmp_path}/store")
