"""Named SQL."""

import sys
from pathlib import Path

import pytest

from cdc.sql import columns, load_queries


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "named_sql_example"
    directory.mkdir()
    (directory / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, directory.name, raising=False)
    load_queries.cache_clear()
    return directory


def test_statements_are_found_by_name(package: Path) -> None:
    (package / "queries.sql").write_text(
        "-- Head.\n\n-- name: one\nselect 1;\n-- name: two\nselect 2\n"
    )
    assert load_queries(package.name) == {"one": b"select 1", "two": b"select 2"}


def test_a_name_given_twice_is_refused(package: Path) -> None:
    (package / "queries.sql").write_text("-- name: one\nselect 1;\n-- name: one\nselect 2;\n")
    with pytest.raises(ValueError, match="twice"):
        load_queries(package.name)


def test_rows_are_turned_into_columns() -> None:
    assert columns([{"a": 1, "b": None}, {"a": 2, "b": 3}]) == {"a": [1, 2], "b": [None, 3]}
