"""The release report and the model card: complete, self-contained, and no markup but our own."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from trivet.core.datacontract import DataContract
from trivet.core.findings import GateReport, Verdict
from trivet.core.modelpackage import Lineage
from trivet.core.policy import Policy
from trivet.core.specs import Approval, EndpointState, ModelVersion
from trivet.governance.approval import decide
from trivet.governance.evidence import NOT_PROVED, Candidate, DataFacts, Evidence, LedgerHead, release_report
from trivet.governance.gate import judge
from trivet.governance.lineage import chain
from trivet.governance.modelcard import ModelCard
from trivet.governance.rendering import escape_markdown

from .conftest import NOW, report_of

VOID = {"meta", "rect", "line", "circle"}
EVIL = "<script>alert('x')</script>&amp;\"|`*_[a](javascript:b)\n# c"


class Page(HTMLParser):
    """Tags, attributes and text of a page; an unbalanced page is an error."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.pieces: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open, f"left open: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] != "style":
            self.pieces.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.pieces).split())


@pytest.fixture
def reports(
    scored: Callable[[int], pd.DataFrame],
    metrics: dict[str, tuple[float, float, float]],
    policy: Policy,
    features: list[str],
) -> dict[str, GateReport]:
    thresholds = {"default": 0.5, "strict": 0.85}
    return {
        name: judge(name, threshold, scored(0), metrics, policy, features=features)
        for name, threshold in thresholds.items()
    }


@pytest.fixture
def approval(reports: dict[str, GateReport], policy: Policy) -> Approval:
    return decide(reports["default"], policy, "dev", version="loan/3", author="ada", now=NOW)


@pytest.fixture
def evidence(
    reports: dict[str, GateReport],
    approval: Approval,
    policy: Policy,
    contract: DataContract,
    lineage: Lineage,
    version: ModelVersion,
    endpoint: EndpointState,
) -> Evidence:
    data = DataFacts(
        name=contract.name, description=contract.description, row=contract.row, source=contract.source,
        licence=contract.licence, contract=lineage.contract, snapshot=lineage.snapshot, rows_read=1989, rows_kept=1973,
        quarantine={"liq 1000000 is a placeholder": 9}, missing={"male": 15},
    )  # fmt: skip
    return Evidence(
        model="loan",
        endpoint="loan",
        intended_use="A worked example.",
        profile="dev",
        data=data,
        policy=policy,
        candidates=tuple(Candidate(name=name, description=name, report=report) for name, report in reports.items()),
        chosen="default",
        version=version,
        approval=approval,
        lineage=chain(lineage, version, endpoint),
        descriptions={column.name: column.description for column in contract.columns},
        ledger=LedgerHead(seq=7, hash="sha256:" + "ab" * 32),
        limits=("That the lenders of 1990 were right.",),
        time=NOW,
    )


def test_the_report_tells_everything_that_was_decided(evidence: Evidence) -> None:
    text = Page(release_report(evidence)).text
    assert "loan, version 3" in text
    for candidate in evidence.candidates:
        assert candidate.report.verdict.capitalize() in text
        assert f"{candidate.report.accuracy:.1%}" in text
        for measure in candidate.report.measures:
            assert measure.note in text
    for reason in evidence.candidate.report.reasons:
        assert reason in text
    assert evidence.approval
    for wanted in (
        *(link.digest for link in evidence.lineage),
        evidence.approval.reason,
        evidence.approval.identity,
        evidence.policy.owner,
        evidence.ledger.hash if evidence.ledger else "",
        evidence.descriptions["loanprc"].split(". ")[0].rstrip("."),
        "liq 1000000 is a placeholder",
        *evidence.limits,
        *NOT_PROVED,
    ):
        assert " ".join(wanted.split()) in text


def test_the_cost_is_counted_from_the_most_accurate_candidate(evidence: Evidence) -> None:
    default, strict = evidence.candidates
    assert evidence.cost(default) == 0
    assert evidence.cost(strict) == pytest.approx(strict.report.accuracy - default.report.accuracy)
    assert f"\N{MINUS SIGN}{-100 * evidence.cost(strict):.1f}" in Page(release_report(evidence)).text


def test_a_refusal_has_a_report_too(evidence: Evidence) -> None:
    refused = evidence.model_copy(update={"chosen": "strict", "version": None, "approval": None, "ledger": None})
    text = Page(release_report(refused)).text
    assert "loan was not released" in text
    assert "Nothing was registered" in text
    assert "Nobody. Without an approval nothing is released." in text


def test_a_version_that_waits_is_not_called_released(evidence: Evidence) -> None:
    text = Page(release_report(evidence.model_copy(update={"approval": None}))).text
    assert "was not released" in text
    assert "waits for an approval" in text


def test_a_broken_chain_shows(evidence: Evidence) -> None:
    assert "Not what was registered" not in Page(release_report(evidence)).text
    *links, last = evidence.lineage
    broken = evidence.model_copy(update={"lineage": (*links, last.model_copy(update={"agrees": False}))})
    assert "Not what was registered" in Page(release_report(broken)).text


def test_a_policy_without_groups_says_that_none_were_looked_at(evidence: Evidence) -> None:
    plain = evidence.policy.model_copy(update={"fairness": None})
    report = report_of(Verdict.PASS, measures=())
    text = Page(
        release_report(
            evidence.model_copy(update={"policy": plain, "candidates": (Candidate(name="default", report=report),)})
        )
    ).text
    assert "The policy demands nothing about groups" in text


@pytest.fixture
def card(
    reports: dict[str, GateReport], approval: Approval, policy: Policy, lineage: Lineage, version: ModelVersion
) -> ModelCard:
    return ModelCard(
        version=version,
        intended_use="A worked example.",
        facts={"features": ["obrat", "loanprc"], "training": {"rows": 1973, "baseline": {"auc": 0.7}}},
        policy=policy,
        gate=reports["default"],
        approval=approval,
        lineage=chain(lineage, version),
        limits=("That the lenders of 1990 were right.",),
    )


def test_the_model_card_is_the_same_in_three_forms(card: ModelCard) -> None:
    assert ModelCard.model_validate_json(card.canonical()) == card
    assert card.approval
    for text in (Page(card.html()).text, card.markdown().replace("\\", "")):
        assert "obrat, loanprc" in text
        assert "1973" in text
        assert card.version.digest in text
        assert card.approval.reason in " ".join(text.split())
        for link in card.lineage:
            assert link.digest in text


def pages(card: ModelCard, evidence: Evidence) -> list[str]:
    return [card.html(), release_report(evidence)]


def test_a_page_loads_and_runs_nothing(card: ModelCard, evidence: Evidence) -> None:
    for html in pages(card, evidence):
        page = Page(html)
        assert not {"script", "link", "img", "iframe", "object", "form", "base"} & set(page.tags)
        assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("src", "href", "action")]
        assert not re.search(r"url\(|@import|https?://", html)
        assert "default-src 'none'" in html


def test_markup_in_a_text_stays_text(card: ModelCard, evidence: Evidence) -> None:
    report = report_of(Verdict.FAIL)
    measure = report.measures[0].model_copy(update={"group": EVIL, "reference": EVIL, "note": EVIL})
    report = report.model_copy(update={"measures": (measure,), "reasons": (EVIL,)})
    assert evidence.approval
    approval = evidence.approval.model_copy(update={"actor": EVIL, "reason": EVIL, "identity": EVIL})
    data = evidence.data.model_copy(
        update={"description": EVIL, "source": EVIL, "quarantine": {EVIL: 1}, "missing": {EVIL: 2}, "row": EVIL}
    )
    evil_evidence = evidence.model_copy(
        update={
            "candidates": (Candidate(name=EVIL, description=EVIL, report=report),),
            "chosen": EVIL,
            "approval": approval,
            "data": data,
            "intended_use": EVIL,
            "endpoint": EVIL,
            "limits": (EVIL,),
            "policy": evidence.policy.model_copy(update={"owner": EVIL, "source": EVIL}),
            "lineage": tuple(link.model_copy(update={"name": EVIL}) for link in evidence.lineage),
        }
    )
    evil_card = card.model_copy(
        update={
            "gate": report,
            "approval": approval,
            "intended_use": EVIL,
            "facts": {EVIL: EVIL, "deep": {EVIL: [EVIL]}},
        }
    )
    for html in pages(evil_card, evil_evidence):
        page = Page(html)
        assert "script" not in page.tags
        assert page.text.count("alert('x')") > 5


def test_markup_in_the_markdown_card_stays_text(card: ModelCard) -> None:
    evil = card.model_copy(update={"intended_use": EVIL, "facts": {EVIL: EVIL}, "limits": (EVIL,)})
    html = MarkdownIt("commonmark").enable("table").render(evil.markdown())
    page = Page(html)
    assert page.text.count("alert('x')") == 4
    assert set(page.tags) <= {"h1", "h2", "p", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"}
    assert html.count("<tr>") == 1 + 5 + 1 + len(card.gate.measures)


@given(st.text(min_size=1).filter(str.strip))
def test_no_markdown_reader_finds_markup_in_escaped_text(text: str) -> None:
    rendered = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(f"Said: {escape_markdown(text)}")
    assert Page(rendered).tags == ["p"]
    alone = Page(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(escape_markdown(text)))
    assert alone.tags == ["p"]
    assert alone.text == " ".join(text.replace("\0", "\ufffd").split())
