"""Where in a text a mistake is, and that a text says the same when it is shown."""

import json

import pytest

from infra.console.outboxes.view import length
from infra.console.parked.editing import Draft, line_of
from infra.console.parked.editing import refused as refuse
from infra.operations.parked.edit import EditError

TEXT = """{
  "a": 1,
  "b": [
    {"c": "a \\"quoted\\" {[,:"},
    {"d.e":
      3}
  ],
  "f": {}
}"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 1),
        (("a",), 2),
        (("b",), 3),
        (("b", "0", "c"), 4),
        (("b", "1"), 5),
        (("b", "1", "d.e"), 6),
        (("f",), 8),
        # what is not there is missed in what it should be in
        (("g",), 1),
        (("b", "7"), 3),
        (("f", "x", "y"), 8),
        (("a", "x"), 2),
    ],
)
def test_the_line_of_a_place_within_a_text(path: tuple[str, ...], line: int) -> None:
    assert line_of(TEXT, path) == line
    assert line_of(json.dumps(json.loads(TEXT)), path) == 1


def test_a_text_that_is_shown_says_the_same_and_hides_nothing() -> None:
    said = {"note": '\x1b[31m\u202e\u2028\x7f\x80 \U000e0001é\t\\ "', "\u200b": [None]}
    text = json.dumps(said, indent=2, ensure_ascii=False)
    lines = Draft(text=text, based_on="").lines
    assert all(line.isprintable() for line in lines)
    assert json.loads("\n".join(lines)) == said


def test_a_text_that_was_refused_for_no_place_has_no_line() -> None:
    draft = refuse("{}\r\n", "digest", EditError("Nothing was changed."))
    assert (draft.line, draft.text) == (None, "{}\n")


def test_an_age_is_drawn_so_that_a_second_is_seen_beside_an_hour() -> None:
    drawn = [length(each) for each in (None, 0.0, 0.5, 1.0, 10.0, 60.0, 600.0, 3600.0, 1e9)]
    assert drawn == pytest.approx([0, 0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.0])
