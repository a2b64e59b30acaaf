"""What a run, a gate and a monitor look like on a screen."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from trivet.cli.endpoints import draw_findings, draw_status
from trivet.cli.reports import deciding, draw_gates
from trivet.core.findings import Finding, GateReport, Level, Measure, Verdict
from trivet.core.specs import EndpointState, EndpointStatus
from trivet.workflows.watch import Status

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def measure(name: str, verdict: Verdict | None, value: float | None, half: float = 0.05, **more: object) -> Measure:
    low, high = (None, None) if value is None else (value - half, value + half)
    given = {"low": low, "high": high, "bound": 0.8, "rows": 100, **more}
    return Measure.model_validate({"name": name, "verdict": verdict, "value": value, **given})


def gate(name: str, verdict: Verdict, *measures: Measure, accuracy: float = 0.9) -> GateReport:
    return GateReport(
        candidate=name,
        threshold=0.5,
        verdict=verdict,
        measures=measures,
        accuracy=accuracy,
        reasons=(f"Reason of {name} [0.1, 0.2].",),
    )


def finding(subject: str, level: Level, effect: float | None = None, note: str = "") -> Finding:
    return Finding(
        monitor="drift",
        subject=subject,
        level=level,
        effect=effect,
        sample=3,
        start=NOW,
        end=NOW,
        threshold=0.25,
        source="a book",
        note=note,
        time=NOW,
    )


def rows(text: str) -> list[list[str]]:
    """The cells of each line that has some."""
    return [line.split() for line in text.splitlines() if line.strip(" ─")]


def test_gates_are_told_with_their_cost_and_the_reasons_of_the_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    close = measure("selection_ratio", Verdict.INCONCLUSIVE, 0.82, group="black", reference="white")
    draw_gates((gate("default", Verdict.INCONCLUSIVE, close), gate("own", Verdict.PASS, accuracy=0.85)), "default")
    shown = capsys.readouterr().out
    _, default, own, reason = rows(shown)
    assert default[:5] == ["default", "◂", "0.50", "inconclusive", "0.900"]
    assert "selection ratio black/white 0.82 [0.77, 0.87], wanted 0.80" in shown
    assert own[:6] == ["own", "0.50", "pass", "0.850", "5.0", "points"]
    assert " ".join(reason) == "Reason of default [0.1, 0.2]."


def test_what_decides_is_the_measure_closest_to_its_bound() -> None:
    far = measure("far", Verdict.PASS, 0.95)
    near = measure("near", Verdict.PASS, 0.86)
    other = measure("other", Verdict.FAIL, 0.80)
    reported = measure("reported", None, 0.8, bound=None)
    assert deciding(gate("x", Verdict.PASS, far, near, other, reported)).startswith("near 0.86 [0.81, 0.91]")
    assert deciding(gate("x", Verdict.FAIL, far, near)) == "-"


def test_a_gate_without_any_number_can_be_told(capsys: pytest.CaptureFixture[str]) -> None:
    draw_gates((gate("x", Verdict.INSUFFICIENT, measure("few", Verdict.INSUFFICIENT, None)),), "x")
    assert "insufficient" in capsys.readouterr().out


def test_findings_come_worst_first_and_alike_in_one_row(capsys: pytest.CaptureFixture[str]) -> None:
    draw_findings(
        [
            finding("a", Level.OK, 0.01, "fine"),
            finding("b", Level.UNKNOWN, None, "no records came in"),
            finding("c", Level.ALARM, 0.3, "moved"),
            finding("d", Level.UNKNOWN, None, "no records came in"),
            finding("e", Level.ALARM, 0.5, "moved far"),
        ]
    )
    _, *shown = rows(capsys.readouterr().out)
    assert [row[1] for row in shown] == ["e", "c", "b", "a"]
    assert shown[2][1:6] == ["b", "and", "1", "more", "unknown"]


def test_status_says_what_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    empty = EndpointState(name="loan", status=EndpointStatus.EMPTY, url="http://127.0.0.1:1")
    broken = empty.model_copy(update={"status": EndpointStatus.FAILED, "reason": "It died."})
    draw_status(Status(stack="local", engine="embedded", endpoints=(empty, broken), findings=(), ledger="empty"))
    shown = capsys.readouterr().out
    for told in ("empty", "nothing yet", "failed: It died.", "Nothing was monitored yet: run `trivet monitor`."):
        assert told in shown
