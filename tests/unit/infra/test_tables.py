"""Tables on terminals of all widths: no value is cut but those that may be."""

import io
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.cli.output import PlainConsole
from infra.tables import table
from tests.terminal import ENOUGH, WIDTHS, lost

WORD = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1, max_size=30)
CELL = st.lists(WORD, max_size=4).map(" ".join)
HEADINGS = ("id", "messages behind", "told", "where")
ROWS = [
    ("0199d2b4-5a7e-7c1b-8f3e-1d2c3b4a5968", "1,234,567", "came too late for what", "http://a/b/c"),
    ("b" * 60, "", "", "postgresql://127.0.0.1:15432/" + "x" * 300),
    ("\u9999" * 20, "\u202e7", "w" * 50 + " short", "nowhere"),
]


def shown(columns: int, rows: Sequence[tuple[str, ...]], **options: tuple[str, ...]) -> str:
    out = PlainConsole(file=io.StringIO(), width=columns, force_terminal=True, highlight=False)
    out.print(table(HEADINGS, rows, right=("messages behind",), **options))
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


@pytest.mark.parametrize("columns", [1, *WIDTHS])
def test_no_value_is_cut_but_those_that_may_be(columns: int) -> None:
    narrow, wide = (shown(each, ROWS, wrap=("told",), cut=("where",)) for each in (columns, ENOUGH))
    cut = {word for *_, where in ROWS for word in where.split()}
    assert set(lost(narrow, wide)) <= cut
    for identity, *_ in ROWS:
        assert identity in narrow


@given(st.lists(st.tuples(CELL, CELL, CELL, CELL), max_size=4), st.integers(1, 120))
def test_no_word_is_lost_whatever_it_is(rows: Sequence[tuple[str, ...]], columns: int) -> None:
    narrow, wide = (shown(each, rows, wrap=("told", "where")) for each in (columns, ENOUGH))
    assert not lost(narrow, wide)


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_what_fits_stands_in_lines_that_fit(columns: int) -> None:
    rows = [("a" * 20, "7", "of more words than fit beside it", "/" * 60)]
    lines = shown(columns, rows, wrap=("told",), cut=("where",)).splitlines()
    assert all(len(line) <= columns + len("\x1b[1m\x1b[0m") * 7 for line in lines)
    assert all(len(line) <= columns for line in lines if "\x1b" not in line)
