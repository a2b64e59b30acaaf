"""The conformance suite finds every mistake that a cloud might make: it is held to a fake that makes them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from trivet.platforms.aws import hosted
from trivet.rehearsal import rigs
from trivet.rehearsal.fakes.aws import Fake
from trivet.rehearsal.rigs.aws import COMMANDS, AwsRig

from .mutants import MISTAKES

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
CONFORMANCE = HERE.parents[1] / "conformance"
SETTINGS = {"speed": 600.0, "grace": 0.02}

FOUND_BY = {
    "an object is not deleted": "test_store.py::test_delete_is_idempotent_and_what_is_deleted_is_not_found[aws]",
    "an object is not written": "test_store.py::test_put_again_changes_nothing_and_other_bytes_replace[aws]",
    "create-only overwrites": "test_store.py::test_create_takes_a_key_that_is_free_and_no_other[aws]",
    "a list of objects is cut": "test_store.py::test_list_is_sorted_and_by_prefix_not_by_folder[aws]",
    "an alias is not written": "test_models.py::test_an_alias_points_to_one_version_and_moves[aws]",
    "a list of model packages is cut": (
        "test_models.py::test_another_digest_is_the_next_version_and_the_newest_comes_first[aws]"
    ),
    "a model package is not tagged": "test_models.py::test_tags_and_an_approval_are_kept[aws]",
    "a model package is made twice": "test_models.py::test_the_same_digest_twice_is_one_version[aws]",
    "a signature is of something else": (
        "test_models.py::test_the_package_is_stored_whole_and_signed_with_the_stacks_key[aws]"
    ),
    "a job is not stopped": "test_jobs.py::test_submit_does_not_wait_and_gives_the_job_that_runs[aws]",
    "a job that failed has succeeded": "test_jobs.py::test_a_job_that_failed_says_why_and_may_be_run_again[aws]",
    "a job gets no environment": "test_jobs.py::test_a_job_has_its_environment_and_reproducible_settings[aws]",
    "what is said is not logged": "test_jobs.py::test_a_job_turns_inputs_into_outputs[aws]",
    "a batch is not stopped": "test_scoring.py::test_a_job_that_scores_can_be_cancelled_and_run_again[aws]",
    "a batch that failed is completed": ("test_scoring.py::test_a_job_that_scores_for_too_long_fails_and_says_so[aws]"),
    "answers of a batch come in another order": (
        "test_scoring.py::test_every_row_of_every_file_has_its_answer_in_its_place[aws]"
    ),
    "an endpoint is not updated": (
        "test_endpoints.py::test_another_release_takes_over_and_the_first_may_come_back[aws]"
    ),
    "an endpoint is not deleted": "test_endpoints.py::test_delete_takes_the_release_off_and_is_idempotent[aws]",
    "a container that is not ready is in service": (
        "test_endpoints.py::test_a_first_release_that_cannot_serve_fails_and_a_good_one_follows[aws]"
    ),
    "weights are ignored": (
        "test_capabilities.py::test_a_claim_holds_and_what_is_not_claimed_is_refused[aws-traffic split]"
    ),
    "a configuration changes with the next one": (
        "test_endpoints.py::test_two_endpoints_do_not_disturb_each_other[aws]"
    ),
    "dimensions are lost": "test_metrics.py::test_a_query_takes_points_with_at_least_its_dimensions[aws]",
}


PATIENCE = {"": 60.0, "a batch is not stopped": 30.0, "a batch that failed is completed": 30.0}
"""Seconds for what comes to its end; with other mistakes it may never, and what does come takes less than 4."""


class Mistaken(Fake):
    """A fake that can be told to make a mistake."""

    program = (str(HERE / "mutants.py"),)

    def make(self, mistake: str) -> None:
        self._ask("POST", "mistake", {"name": mistake})


class Lent(AwsRig):
    """The rig in the one fake of this file: empty at first, and mistaken as soon as all is made ready."""

    fake: Mistaken
    lent: Mistaken
    mistake = ""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.patience = PATIENCE.get(self.mistake, 4.0)
        self.lent.make(self.mistake)

    def _start(self, folder: Path) -> Fake:
        self.lent.make("")
        self.lent.reset()
        return self.lent

    def close(self) -> None:
        self.platform.close()


class Calls:
    """What became of tests, without what came before and after them."""

    def __init__(self) -> None:
        self.outcomes: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome == "failed":
            self.outcomes.setdefault(report.nodeid.rpartition("/")[2], f"{report.outcome} in {report.when}")


@pytest.fixture(scope="module")
def lent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[type[Lent]]:
    """The rig as `tests/conformance` finds it by its cloud, and a platform that does not wait as long as for AWS."""
    with pytest.MonkeyPatch.context() as patch, Mistaken(tmp_path_factory.mktemp("fake"), COMMANDS, **SETTINGS) as fake:
        for name in [name for name in os.environ if name.startswith(("AWS_", "TRIVET_"))]:
            patch.delenv(name)
        patch.setattr(Lent, "lent", fake, raising=False)
        patch.setattr(rigs, "RIGS", {**rigs.RIGS, "aws": f"{__name__}:Lent"})
        patch.setattr(hosted, "LONGEST_PAUSE", 0.2)
        patch.setattr(hosted, "PROPAGATION_SECONDS", 2.0)
        patch.setattr(hosted, "DELETE_SECONDS", 2.0)
        yield Lent


def outcomes(*tests: str) -> dict[str, str]:
    """What becomes of tests of `tests/conformance`, in a session of their own."""
    calls = Calls()
    # What the collector finds is the outer session's to tell: to look after each takes longer than the test.
    without = ("cacheprovider", "faulthandler", "threadexception", "unraisableexception")
    alone = ["--disable-plugin-autoload", *(f"-pno:{one}" for one in without), "--no-header", "-q", "--tb=short"]
    pytest.main([*alone, *(f"{CONFORMANCE}/{test}" for test in tests)], plugins=[calls])
    return calls.outcomes


def test_every_mistake_has_a_test_that_is_to_find_it() -> None:
    assert set(FOUND_BY) == set(MISTAKES) and len(MISTAKES) >= 10


def test_the_fake_without_a_mistake_passes_the_same_tests(lent: type[Lent]) -> None:
    lent.mistake = ""
    tests = list(dict.fromkeys(FOUND_BY.values()))
    assert outcomes(*tests) == dict.fromkeys(tests, "passed in call")


@pytest.mark.parametrize("mistake", FOUND_BY)
def test_a_mistake_of_the_fake_is_found(lent: type[Lent], mistake: str) -> None:
    lent.mistake = mistake
    test = FOUND_BY[mistake]
    assert outcomes(test) == {test: "failed in call"}
