"""How the report of a run is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trivet.cli.output import console, say, table

if TYPE_CHECKING:
    from trivet.core.findings import GateReport
    from trivet.workflows.run import RunReport


def draw_run(report: RunReport) -> None:
    """A run that reached its endpoint."""
    draw_gates(report.gates, report.variant)
    if report.version and report.version.approval:
        approval = report.version.approval
        say(f"{report.version} is {approval.status} by {approval.actor}: {approval.reason}")
        say(f"  established by {approval.identity}")
    if report.endpoint:
        say(f"Endpoint {report.endpoint.name} is {report.endpoint.status} at {report.endpoint.url}")
    say(f"Report: {report.report}")


def draw_training(report: RunReport) -> None:
    """A candidate that was judged and went no further."""
    draw_gates(report.gates, report.variant)
    say(f"Package: {report.package_folder}")
    say(f"Report: {report.report}")


def draw_gates(gates: tuple[GateReport, ...], chosen: str) -> None:
    """Every candidate with its verdict and what it costs in accuracy, then why the chosen one is no pass."""
    best = max(gate.accuracy for gate in gates)
    say()
    table(
        "candidate",
        "threshold",
        "verdict",
        "accuracy",
        "costs",
        "closest to its bound",
        rows=[
            (
                f"{gate.candidate}{' ◂' if gate.candidate == chosen else ''}",
                f"{gate.threshold:.2f}",
                gate.verdict,
                f"{gate.accuracy:.3f}",
                f"{100 * (best - gate.accuracy):.1f} points",
                deciding(gate),
            )
            for gate in gates
        ],
    )
    for gate in gates:
        if gate.candidate == chosen:
            for reason in gate.reasons:
                console().print(f"  {reason}", markup=False)


def deciding(gate: GateReport) -> str:
    """The measure with the gate's verdict that comes closest to its bound, in numbers."""
    uncertain = [one for one in gate.measures if one.verdict == gate.verdict and one.bound and one.low != one.high]
    if not uncertain:
        return "-"
    measure = min(uncertain, key=lambda one: abs((one.value or 0) / (one.bound or 1) - 1))
    whose = f" {measure.group}/{measure.reference}" if measure.group else ""
    interval = f"[{measure.low:.2f}, {measure.high:.2f}]" if measure.low is not None else ""
    return f"{measure.name.replace('_', ' ')}{whose} {measure.value:.2f} {interval}, wanted {measure.bound:.2f}"
