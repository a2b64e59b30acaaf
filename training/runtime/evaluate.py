"""Candidates measured on rows that their models have not seen: stratified, seeded folds over the whole snapshot."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import StratifiedKFold

from trivet.core.canonical import digest_json
from trivet.core.errors import ConfigError
from trivet.training.evaluation import OVER_BASELINE, CandidateResult, Metric
from trivet.training.params import TrainParams
from trivet.training.plan import Candidate, Plan
from trivet.training.runtime import metrics
from trivet.training.runtime.rows import Rows
from trivet.training.runtime.usercode import Train, fit

log = logging.getLogger(__name__)

Scores = dict[str, np.ndarray]
FitAndScore = Callable[[np.ndarray, np.ndarray], np.ndarray]


def params_of(candidate: Candidate, plan: Plan) -> TrainParams:
    """What a candidate's training is told."""
    return TrainParams(
        candidate.params,
        features=plan.features,
        target=plan.contract.target,
        protected=plan.protected,
        seed=plan.seed,
    )


def training_frame(rows: Rows, plan: Plan) -> pd.DataFrame:
    """What ``train`` sees: permitted features, the target, and the protected columns, for mitigation only."""
    return rows.frame[[*plan.features, plan.contract.target, *plan.protected]]


def out_of_fold_scores(train: Train, rows: Rows, plan: Plan) -> Scores:
    """By candidate, every row's score from a model that was trained without it. Equal parameters are trained once."""
    frame = training_frame(rows, plan)
    by_params: Scores = {}
    for candidate in plan.candidates:
        key = digest_json(candidate.params)
        if key not in by_params:
            params = params_of(candidate, plan)
            by_params[key] = _out_of_fold(
                lambda seen, unseen, params=params: fit(train, frame.iloc[seen], params).score(frame.iloc[unseen]),
                rows,
                plan,
            )
            log.info("scored %s rows out of fold for %s", len(rows), candidate.name)
    return {candidate.name: by_params[digest_json(candidate.params)] for candidate in plan.candidates}


def baseline_scores(rows: Rows, plan: Plan) -> np.ndarray:
    """Out-of-fold scores of a model that knows the share of positives and nothing else."""

    def fit_and_score(seen: np.ndarray, unseen: np.ndarray) -> np.ndarray:
        prior = DummyClassifier(strategy="prior").fit(np.zeros((len(seen), 1)), rows.target[seen])
        return np.asarray(prior.predict_proba(np.zeros((len(unseen), 1))))[:, 1]

    return _out_of_fold(fit_and_score, rows, plan)


def baseline_metrics(rows: Rows, baseline: np.ndarray, plan: Plan) -> tuple[Metric, ...]:
    """How the baseline does at the packed candidate's threshold."""
    return (
        metrics.auc(rows.target, baseline, confidence=plan.confidence, seed=plan.seed),
        *metrics.at_threshold(rows.target, baseline, plan.packaged.threshold, plan.confidence),
    )


def measure(rows: Rows, scores: Scores, baseline: np.ndarray, plan: Plan) -> tuple[CandidateResult, ...]:
    """Every candidate's numbers at its own threshold. What depends on the scores alone is computed once for each."""
    ranking: dict[str, tuple[Metric, Metric]] = {}
    results = []
    for candidate in plan.candidates:
        score, key = scores[candidate.name], digest_json(candidate.params)
        if key not in ranking:
            how = {"confidence": plan.confidence, "seed": plan.seed}
            ranking[key] = (
                metrics.auc(rows.target, score, **how),
                metrics.auc_difference(OVER_BASELINE, rows.target, score, baseline, **how),
            )
        at_threshold = metrics.at_threshold(rows.target, score, candidate.threshold, plan.confidence)
        found = (*ranking[key], *at_threshold)
        results.append(CandidateResult(name=candidate.name, threshold=candidate.threshold, params=key, metrics=found))
    return tuple(results)


def _out_of_fold(fit_and_score: FitAndScore, rows: Rows, plan: Plan) -> np.ndarray:
    rarer = int(np.bincount(rows.target, minlength=2).min())
    if rarer < plan.folds:
        raise ConfigError(
            f"The rarer outcome has {rarer} rows, too few for {plan.folds} folds.",
            "Collect more, or ask for fewer folds.",
        )
    scores = np.full(len(rows), np.nan)
    folds = StratifiedKFold(plan.folds, shuffle=True, random_state=plan.seed)
    for seen, unseen in folds.split(np.zeros(len(rows)), rows.target):
        scores[unseen] = fit_and_score(seen, unseen)
    if not np.isfinite(scores).all():
        raise ConfigError("The model gives some rows a score that is no number.", "Let train() fill missing values.")
    return scores
