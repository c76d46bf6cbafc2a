"""Strict JSON: exact numbers, and no text that two readers could understand differently."""

import contextlib
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.rest.strict_json import MalformedJsonError, loads

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_sound_is_read_as_it_was_written(value: Any) -> None:
    assert loads(json.dumps(value).encode()) == value


@given(st.binary())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(MalformedJsonError):
        loads(data)


def test_fractions_stay_exact() -> None:
    assert loads(b"[0.1, 1e2, -0.0]") == [Decimal("0.1"), Decimal("1e2"), Decimal("-0.0")]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"a": 1, "a": 1}', '"a" occurs twice'),
        (b"NaN", "NaN is not JSON"),
        (b"[1, -Infinity]", "-Infinity is not JSON"),
        (b"1e99999999999999999999", "exponent"),
        (b"9" * 65, "more than 64 characters"),
        (b"\xff", "byte 0 is not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[1,\n 2", "line 2, column 3"),
    ],
)
def test_what_is_unsound_is_refused_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedJsonError, match=reason):
        loads(data)
