"""What `trivet demo` leaves running, read in every way that the command line offers. Nothing here changes the stack."""

from __future__ import annotations

import json
import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx
import pytest
import yaml

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
VERIFIER = ROOT / "tools" / "verify_ledger.py"
VERDICTS = {"default": "inconclusive", "strict": "fail", "mitigated": "pass"}
TAKE_SECONDS = {"pulumi", "mlflow", "sklearn", "pandas"}
CURL_SAYS = "application/x-www-form-urlencoded"  # where -d is given and no header


@pytest.fixture(scope="module")
def monitored(demo):
    """The demonstration after its records were sealed."""
    demo.checkout.trivet("monitor")
    return demo


def asked(demo, curl: str) -> httpx.Response:
    """What curl would send: -H and -d @FILE, as POST."""
    _, *words = shlex.split(curl)
    [url] = [word for word in words if word.startswith("http")]
    headers = dict(words[n + 1].split(": ") for n, word in enumerate(words) if word == "-H")
    [file] = [words[n + 1].removeprefix("@") for n, word in enumerate(words) if word == "-d"]
    return httpx.post(
        url, content=(demo.checkout.root / file).read_bytes(), headers={"Content-Type": CURL_SAYS, **headers}
    )


def request_of(demo) -> dict:
    """The request that the demonstration left for curl."""
    return json.loads(Path(demo.report["run"]["report"]).with_name("request.json").read_text())


def test_every_verdict_is_told_as_it_comes_with_what_it_costs(demo) -> None:
    gates = {gate["candidate"]: gate for gate in demo.report["run"]["gates"]}
    assert {name: gate["verdict"] for name, gate in gates.items()} == VERDICTS
    assert gates["default"]["accuracy"] > gates["strict"]["accuracy"]
    [black] = [
        one for one in gates["default"]["measures"] if (one["name"], one["group"]) == ("selection_ratio", "black")
    ]
    assert black["low"] < black["bound"] < black["high"]
    assert demo.ran.stderr == ""


def test_three_real_applications_are_decided_with_reasons(demo) -> None:
    best, middle, worst = demo.report["applications"]
    assert [one["answer"]["decision"] for one in (best, worst)] == ["approve", "deny"]
    assert best["answer"]["score"] > middle["answer"]["score"] > worst["answer"]["score"]
    assert abs(middle["answer"]["score"] - 0.5) < 0.1
    for one in (best, middle, worst):
        assert 1 <= len(one["reasons"]) == len(one["answer"]["reasons"]) <= 4
        assert one["lender"] in ("approve", "deny")


def test_the_printed_request_is_answered_with_score_decision_contributions_and_package(demo) -> None:
    response = asked(demo, demo.report["curl"])
    assert response.status_code == 200, response.text
    answer = response.json()
    outputs = {one["name"]: one for one in answer["outputs"]}
    told = demo.report["applications"][0]["answer"]
    assert outputs["decision"]["data"] == [told["decision"]]
    assert outputs["score"]["data"] == pytest.approx([told["score"]])
    assert outputs["contributions"]["shape"][1] == len(outputs["contributions"]["data"]) > 20
    assert answer["parameters"]["package"] == demo.report["run"]["package"]
    assert answer["model_version"] == "1"


def test_the_reasons_told_are_the_worst_of_the_contributions(demo) -> None:
    metadata = httpx.get(f"{demo.url}/v2/models/loan").json()
    assert metadata["parameters"]["package"] == demo.report["run"]["package"]
    contributions = asked(demo, demo.report["curl"]).json()["outputs"][2]["data"]
    features = [one["name"] for one in metadata["inputs"]]
    worst = sorted(zip(contributions, features, strict=True))[:4]
    told = demo.report["applications"][0]["answer"]["reasons"]
    assert [name for name, _ in told] == [name for _, name in worst]


def test_a_request_that_the_signature_does_not_know_is_refused(demo) -> None:
    request = request_of(demo)
    for wrong, told in (("many", "loanamt"), (None, "loanamt")):
        [amount] = [one for one in request["inputs"] if one["name"] == "loanamt"]
        amount["data"] = [wrong]
        response = httpx.post(f"{demo.url}/v2/models/loan/infer", json=request)
        assert response.status_code == 400
        assert told in response.json()["error"]


def test_report_and_card_hold_verdict_reason_and_digests(demo) -> None:
    run = demo.report["run"]
    report = Path(run["report"])
    evidence = json.loads(report.with_name("evidence.json").read_text())
    assert {one["name"]: one["report"]["verdict"] for one in evidence["candidates"]} == VERDICTS
    reason = "In development no applicant is affected"
    for page in (report, report.with_name("modelcard.html")):
        text = page.read_text()
        for told in ("inconclusive", reason, "policy:dev", run["package"], run["snapshot"], "loan/1"):
            assert told in text, (page.name, told)


def test_up_again_and_preview_change_nothing(demo) -> None:
    kept = {path: path.read_bytes() for path in (demo.checkout.root / ".trivet").glob("*/outputs.json")}
    preview = demo.checkout.trivet("preview", "--json").json["changes"]
    up = demo.checkout.trivet("up", "--json").json
    assert list(preview) == list(up["changes"]) == ["same"]
    assert preview == up["changes"]
    assert {path: path.read_bytes() for path in kept} == kept
    assert httpx.get(f"{demo.url}/v2/health/ready").status_code == 200


def ci_commands() -> list[list[str]]:
    """What the workflows of .github call of ours."""
    found = []
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml")):
        jobs = yaml.safe_load(path.read_text())["jobs"].values()
        found += [step["run"] for job in jobs for step in job["steps"] if "trivet" in step.get("run", "")]
    return [shlex.split(line.removeprefix(".venv/bin/trivet ")) for line in found]


def test_what_ci_calls_works_and_trains_nothing_without_need(demo) -> None:
    called = {words[0]: demo.checkout.trivet(*words) for words in ci_commands()}
    assert list(called) == ["preview", "up", "monitor", "run"]
    assert called["run"].stdout.startswith("Nothing asks for a new model")
    assert len(demo.checkout.jobs()) == 1


def test_outputs_in_words_and_as_a_document(demo) -> None:
    document = demo.checkout.trivet("outputs", "--json").json
    shell = document["endpoints"]["loan"]
    assert f"http://{shell['host']}:{shell['port']}" == demo.url
    assert "PRIVATE" not in json.dumps(document)
    words = demo.checkout.trivet("outputs").stdout
    assert demo.url in words
    assert document["signing"]["key_id"] in words


def test_a_verb_needs_no_more_than_the_outputs_as_a_file(demo, tmp_path: Path) -> None:
    file = tmp_path / "outputs.json"
    file.write_text(demo.checkout.trivet("outputs", "--json").stdout)
    for variables in ({}, {"TRIVET_OUTPUTS": str(file)}):
        options = () if variables else ("--outputs", file)
        assert demo.checkout.trivet("status", "--json", *options, **variables).json["stack"] == "local"
    ran = demo.checkout.trivet("status", "--outputs", file, "--stack", "other", expect=3)
    assert "outputs of stack local, not of other" in ran.stderr


def test_env_prints_exports_for_pulumi_itself(demo) -> None:
    exports = dict(
        shlex.split(line.removeprefix("export "))[0].split("=", 1)
        for line in demo.checkout.trivet("env").stdout.splitlines()
    )
    backend = Path(unquote(urlsplit(exports["PULUMI_BACKEND_URL"]).path))
    state = json.loads((backend / ".pulumi/stacks/trivet/local.json").read_text())
    assert state["version"] == 3
    passphrase = Path(exports["PULUMI_CONFIG_PASSPHRASE_FILE"])
    assert passphrase.stat().st_mode & 0o777 == 0o600
    assert len(passphrase.read_text()) > 30


def test_status_in_words_and_as_a_document(demo) -> None:
    [endpoint] = demo.checkout.trivet("status", "--json").json["endpoints"]
    assert (endpoint["status"], endpoint["url"]) == ("ready", demo.url)
    assert endpoint["releases"] == [
        {"model": "loan", "version": 1, "digest": demo.report["run"]["package"], "traffic": 100}
    ]
    words = demo.checkout.trivet("status").stdout
    for told in ("ready", demo.url, "loan/1", "entries, head sha256:"):
        assert told in words


def test_logs_are_the_server_s_and_hold_no_application(demo) -> None:
    lines = demo.checkout.trivet("logs").stdout.splitlines()
    assert any("is ready" in line for line in lines)
    events = [json.loads(line) for line in lines if line.startswith("{")]
    assert {"ready", "request"} <= {one["event"] for one in events}
    assert not any("loanamt" in line for line in lines)


def test_predict_answers_rows_and_loads_nothing_heavy(demo, imports) -> None:
    row = json.dumps({one["name"]: one["data"][0] for one in request_of(demo)["inputs"]})
    path = f"{imports.folder}:{demo.checkout.root}"
    answers = demo.checkout.trivet("predict", row, row, "--json", PYTHONPATH=path).json
    assert imports.names() & TAKE_SECONDS == set()
    told = demo.report["applications"][0]["answer"]
    assert [one["decision"] for one in answers] == [told["decision"]] * 2
    assert answers[0]["score"] == pytest.approx(told["score"])
    assert answers[0]["id"] != answers[1]["id"]
    lacking = demo.checkout.trivet("predict", '{"occ": 1}', expect=3)
    assert "lacks loanamt" in lacking.stderr


def test_models_in_words_and_as_documents(demo) -> None:
    [version] = demo.checkout.trivet("models", "list", "--json").json
    assert (version["name"], version["version"], version["aliases"]) == ("loan", 1, ["champion"])
    assert version["digest"] == demo.report["run"]["package"]
    card = demo.checkout.trivet("models", "show", "loan@champion").stdout
    for told in ("inconclusive", "policy:dev", demo.report["run"]["snapshot"]):
        assert told in card
    assert "There is no models:/loan/7." in demo.checkout.trivet("models", "show", "loan/7", expect=3).stderr


def test_the_dataset_is_known_by_its_name(demo) -> None:
    [one] = demo.checkout.trivet("datasets", "list", "--json").json
    assert one["dataset"]["snapshot"] == demo.report["run"]["snapshot"]
    assert one["dataset"]["rows"] == demo.report["run"]["rows"]
    told = demo.checkout.trivet("datasets", "show", one["dataset"]["name"]).stdout
    for said in (one["dataset"]["snapshot"], one["dataset"]["licence"][:30], "protected", "target"):
        assert said in told


def test_the_ledger_tells_what_was_decided_and_by_whom(monitored) -> None:
    entries = monitored.checkout.ledger()
    kinds = [entry["kind"] for entry in entries]
    assert kinds[:6] == ["dataset", "run", "gate", "registered", "approval", "release"]
    assert kinds[6:]
    assert set(kinds[6:]) == {"records"}
    by_kind = {entry["kind"]: entry for entry in entries}
    assert by_kind["gate"]["body"]["verdict"] == "inconclusive"
    assert by_kind["approval"]["actor"] == "policy:dev"
    assert by_kind["release"]["body"]["digest"] == monitored.report["run"]["package"]


def test_an_auditor_s_own_program_agrees_with_the_ledger(monitored, tmp_path: Path) -> None:
    found = monitored.checkout.trivet("ledger", "verify", "--json").json
    assert found["problems"] == []
    assert found["segments"] >= 1
    assert found["anchored"] == found["entries"]
    export = tmp_path / "ledger.jsonl"
    monitored.checkout.trivet("ledger", "export", export)
    home = monitored.checkout.home()
    for path in (export, home / "database" / "ledger.db"):
        ran = audit(path, home / "store" / "ledger" / "anchors")
        assert (ran.returncode, ran.stdout) == (0, f"sound: {found['entries']} entries, head {found['head']}\n")


def audit(*paths: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-I", VERIFIER, *paths], capture_output=True, text=True)


def test_a_record_that_was_changed_is_found(monitored) -> None:
    [segment] = (monitored.checkout.home() / "records").glob("prediction-*.jsonl")
    whole = segment.read_bytes()
    segment.write_bytes(whole.replace(b'"approve"', b'"deny"', 1))
    try:
        ran = monitored.checkout.trivet("ledger", "verify", expect=3)
    finally:
        segment.write_bytes(whole)
    assert ran.stdout == ""
    assert ran.stderr.startswith("Error: The ledger is not sound: ")
    assert segment.name in ran.stderr
    monitored.checkout.trivet("ledger", "verify")


def test_an_entry_that_was_changed_is_found(monitored) -> None:
    ledger = monitored.checkout.home() / "database" / "ledger.db"
    change = "UPDATE entries SET actor = ? WHERE kind = 'approval'"
    with closing(sqlite3.connect(ledger, isolation_level=None)) as database:
        database.execute(change, ["nobody"])
        try:
            ran = monitored.checkout.trivet("ledger", "verify", expect=3)
            audited = audit(ledger)
        finally:
            database.execute(change, ["policy:dev"])
    assert ran.stderr.startswith("Error: The ledger is not sound: ")
    assert audited.returncode == 1
    assert audited.stderr == "TAMPERED: entry 5 was changed\n"
    monitored.checkout.trivet("ledger", "verify")


def test_an_entry_that_was_cut_off_is_found(monitored) -> None:
    ledger = monitored.checkout.home() / "database" / "ledger.db"
    with closing(sqlite3.connect(ledger, isolation_level=None)) as database:
        [last] = database.execute("SELECT * FROM entries ORDER BY seq DESC LIMIT 1").fetchall()
        database.execute("DELETE FROM entries WHERE seq = ?", last[:1])
        try:
            ran = monitored.checkout.trivet("ledger", "verify", expect=3)
        finally:
            database.execute(f"INSERT INTO entries VALUES ({', '.join('?' * len(last))})", last)
    assert ran.stderr.startswith("Error: The ledger is not sound: ")
    monitored.checkout.trivet("ledger", "verify")


def test_at_most_three_processes_of_the_demonstration_load_what_takes_seconds(demo) -> None:
    assert len(demo.imports.processes("sklearn") - demo.imports.processes("pulumi")) >= 1  # the job is watched
    assert len(demo.imports.processes("sklearn", "mlflow")) <= 3


LIGHT = (("status",), ("outputs",), ("logs",), ("ledger", "show"), ("ledger", "verify"))


@pytest.mark.parametrize("command", LIGHT, ids=" ".join)
def test_what_only_looks_loads_nothing_heavy(demo, imports, command: tuple[str, ...]) -> None:
    demo.checkout.trivet(*command, PYTHONPATH=f"{imports.folder}:{demo.checkout.root}")
    assert imports.names() & TAKE_SECONDS == set()
    assert "pydantic" in imports.names()  # the notebook works


def test_help_loads_next_to_nothing(demo, imports) -> None:
    ran = demo.checkout.trivet("--help", PYTHONPATH=f"{imports.folder}:{demo.checkout.root}")
    assert imports.names() == set()
    for verb in ("demo", "init", "up", "run", "deploy", "predict", "monitor", "models", "ledger"):
        assert f"\n  {verb} " in ran.stdout
