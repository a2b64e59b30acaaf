"""Labels tell stacks apart, whatever their names are."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trivet.clouds.gcpnames import labels
from trivet.platforms.gcp.labels import whose

# Close to each other, and more than a label holds.
NAMES = st.text("aA-_.e\u00e9", min_size=1, max_size=4).map(lambda end: f"{'s' * 60}{end}") | st.text(min_size=1)
STACKS = st.tuples(NAMES, NAMES)


@given(STACKS, STACKS)
def test_no_two_stacks_have_one_filter(one: tuple[str, str], two: tuple[str, str]) -> None:
    assume(one != two)
    assert whose(*one) != whose(*two)


@given(st.dictionaries(NAMES, NAMES))
def test_any_tags_become_labels_that_google_takes(tags: dict[str, str]) -> None:
    assert all(re.fullmatch(r"[a-z0-9_-]{0,63}", text) for one in labels(tags).items() for text in one)


@pytest.mark.parametrize("value", ["dev", "dev-eu", "7", "a_b", "s" * 63, ""])
def test_a_value_that_a_label_holds_stays_as_it_is(value: str) -> None:
    assert labels({"trivet:stack": value}) == {"trivet-stack": value}


def test_a_value_that_it_does_not_hold_is_still_read_and_is_no_other_one() -> None:
    found = labels({"trivet:stack": "Dev.EU"})["trivet-stack"]
    assert re.fullmatch(r"dev-eu-[0-9a-f]{8}", found)
