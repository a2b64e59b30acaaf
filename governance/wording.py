"""How the gate's measures are called in sentences and tables."""

from __future__ import annotations

_LABELS = {
    "rows_scored": "share of rows with a score",
    "auc": "AUC",
    "auc_over_baseline": "AUC above the baseline's",
    "auc_difference_to_served": "AUC above the served release's",
    "accuracy": "share decided rightly",
    "bad_risks_caught": "share of bad risks caught",
    "selection_ratio": "selection ratio",
    "false_denial_ratio": "false-denial ratio",
    "raw_false_denial_ratio": "raw ratio of false denials",
}


def label(name: str) -> str:
    """A measure's name as it is read aloud."""
    return _LABELS.get(name) or name.replace("_", " ")


def headline(text: str) -> str:
    """The text with a capital letter in front; the rest is left as it is."""
    return text[:1].upper() + text[1:]


def first_sentence(text: str) -> str:
    """What a description says first, without its full stop."""
    return text.split(". ", maxsplit=1)[0].rstrip(".")
