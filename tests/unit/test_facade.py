"""`tailrace.py`, the one import of whoever writes a context."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tailrace


def test_each_name_is_what_its_home_has() -> None:
    named = [(module, name) for module, names in tailrace.HOMES.items() for name in names]
    assert sorted(name for _, name in named) == sorted(tailrace.__all__) == dir(tailrace)
    for module, name in named:
        assert getattr(tailrace, name) is getattr(sys.modules[module], name)


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(tailrace.__file__).read_text())
    seen = {
        node.module: tuple(alias.name for alias in node.names)
        for branch in tree.body
        if isinstance(branch, ast.If)
        for node in branch.body
        if isinstance(node, ast.ImportFrom)
    }
    assert seen == tailrace.HOMES


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Workflow'"):
        _ = tailrace.Workflow


def test_declaring_a_service_imports_nothing_of_the_runtime() -> None:
    code = "import sys, consumers.payments.service; print(*sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "cdc.manifest" in loaded
    assert not {"faust", "aiokafka", "psycopg", "pydantic", "consumers.runtime"} & set(loaded)
