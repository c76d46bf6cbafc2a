"""The header `Prefer` by the letter of RFC 7240."""

import pytest
from starlette.datastructures import Headers

from producers.rest.preferences import LONGEST_S, preferences, preferred_wait_s


def headers(*values: str) -> Headers:
    return Headers(raw=[(b"prefer", value.encode("latin-1")) for value in values])


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        (["wait=10"], 10),
        (["respond-async, wait=10"], 10),
        (["respond-async", "wait=10"], 10),
        (["WAIT = 10"], 10),
        (['wait="10"'], 10),
        (['foo="a, wait=3"; bar="\\"", wait=10'], 10),
        (["wait=10; x=1, wait=3"], 10),
        (["wait=10, wait=3"], 10),
        (["wait=0"], 0),
        (["wait=000000010"], 10),
        (["wait=0000000000000000010"], 10),
        (["wait=999999999999"], LONGEST_S),
        (["foo; ;bar, wait=4"], 4),
        ([], None),
        ([""], None),
        (["wait"], None),
        (["wait="], None),
        (["wait=-1"], None),
        (["wait=1.5"], None),
        (["wait=1e3"], None),
        (["wait=99999999999999999999"], LONGEST_S),
        (["wait=\xb2"], None),
        (["waits=4"], None),
        (['foo="never closed, wait=4'], None),
        (["x" * 20_000 + " y, wait=4"], None),
    ],
)
def test_how_long_a_client_would_like_to_wait(values: list[str], seconds: int | None) -> None:
    assert preferred_wait_s(headers(*values)) == seconds


def test_a_preference_may_have_no_value_and_its_name_has_no_case() -> None:
    assert preferences(headers("Respond-Async, Handling = lenient; a=b")) == {
        "respond-async": "",
        "handling": "lenient",
    }
