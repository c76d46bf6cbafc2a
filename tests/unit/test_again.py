"""What comes to no result is tried once more, and what comes to a wrong one is not."""

import re
from pathlib import Path

import pytest

from tests import again
from tests.conftest import CHEAPEST_FIRST

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parents[2]

TRIALS = """
import pytest
from tests.again import NO_RESULT, NOTHING_SHOWN, show

tried = {}

def trial(what, raises, at_first_only):
    tried[what] = tried.get(what, 0) + 1
    if tried[what] == 1 or not at_first_only:
        raises()

def waits():
    raise TimeoutError("nothing came")

def is_wrong():
    assert False, "lost"

def shows_nothing():
    show([], "no fault happened")

def is_told_of_the_wait():
    try:
        waits()
    except TimeoutError as error:
        raise AssertionError("with the log") from error

CASES = [
    pytest.param(marked, raises, at_first_only, marks=marked,
                 id=f"{name}-{raises.__name__}-{'at_first' if at_first_only else 'always'}")
    for name, marked in [("no_result", NO_RESULT), ("nothing_shown", NOTHING_SHOWN)]
    for raises in [waits, is_wrong, shows_nothing, is_told_of_the_wait]
    for at_first_only in [True, False]
]

@pytest.mark.parametrize(("marked", "raises", "at_first_only"), CASES)
def test(request, marked, raises, at_first_only):
    trial(request.node.name, raises, at_first_only)
"""
PASSES_ONCE_MORE = {
    "no_result-waits-at_first",
    "no_result-is_told_of_the_wait-at_first",
    "no_result-shows_nothing-at_first",
    "nothing_shown-shows_nothing-at_first",
}


def test_only_what_comes_to_no_result_is_tried_once_more(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TRIALS)
    pytester.syspathinsert(ROOT)
    run = pytester.runpytest_subprocess("-rA", "-p", "no:schemathesis", "-p", "no:cacheprovider")
    said = "\n".join(run.outlines)
    assert set(re.findall(r"^PASSED \S+\[(.*)\]", said, re.MULTILINE)) == PASSES_ONCE_MORE
    run.assert_outcomes(passed=4, failed=12)
    assert said.splitlines()[-1].count("8 rerun") == 1


def test_a_proof_of_reliability_is_never_tried_again_for_a_wait() -> None:
    for kind in CHEAPEST_FIRST:
        assert again.marker(kind) is (again.NOTHING_SHOWN if kind == "chaos" else again.NO_RESULT)
