"""What an Idempotency-Key may be, and what tells requests apart."""

import contextlib
import hashlib
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from producers.rest.access.principal import PRINCIPAL, Principal
from producers.rest.idempotency.key import (
    IDEMPOTENCY_KEY,
    MAX_KEY_CHARACTERS,
    fingerprint,
    key_of,
    passed_on,
    place_of,
    quoted,
)
from producers.rest.negotiation import JSON, OFFER, Offer
from producers.rest.problems import ProblemError
from schemas.rest.versions import Version

PRINTABLE = [chr(code) for code in range(0x20, 0x7F)]
BARE = sorted(set(PRINTABLE) - set(' ",\\'))
keys = st.text(PRINTABLE, min_size=1, max_size=MAX_KEY_CHARACTERS)
texts = st.text(max_size=20)


def headers(*values: str) -> Headers:
    return Headers(raw=[(IDEMPOTENCY_KEY.encode(), value.encode("latin-1")) for value in values])


def scope(**others: Any) -> dict[str, Any]:
    usual = {
        "method": "POST",
        "path": "/v2/orders",
        "query_string": b"",
        "headers": [],
        "state": {},
    }
    return usual | others


def test_most_requests_have_none() -> None:
    assert key_of(headers()) is None


@given(keys)
def test_every_key_can_be_quoted(key: str) -> None:
    assert key_of(headers(quoted(key))) == key


@given(st.text(BARE, min_size=1, max_size=MAX_KEY_CHARACTERS))
def test_quotes_may_be_left_out_where_nothing_needs_them(key: str) -> None:
    assert key_of(headers(key)) == key_of(headers(f"  {quoted(key)}\t")) == key


@given(st.text([chr(code) for code in range(256)]))
def test_whatever_comes_is_a_key_or_a_problem(text: str) -> None:
    key: str | None = "refused"
    with contextlib.suppress(ProblemError):
        key = key_of(headers(text))
    assert key is not None
    assert 1 <= len(key) <= MAX_KEY_CHARACTERS
    assert set(key) <= set(PRINTABLE)


@pytest.mark.parametrize(
    "values",
    [
        [""],
        ['""'],
        ['"'],
        ['"a'],
        ['a"'],
        ['"a"b"'],
        ['"\\a"'],
        ['"a";p=1'],
        ["a b"],
        ["a,b"],
        ["a, a"],
        ["é"],
        ['"é"'],
        ["a\x00"],
        ["a\x7f"],
        ["x" * (MAX_KEY_CHARACTERS + 1)],
        ['"' + "x" * (MAX_KEY_CHARACTERS + 1) + '"'],
        ["a", "a"],
        ["a", ""],
    ],
)
def test_what_is_no_key_is_refused(values: list[str]) -> None:
    with pytest.raises(ProblemError) as raised:
        key_of(headers(*values))
    assert raised.value.status_code == 400


def sent_by(name: str, key_id: str | None = None) -> dict[str, Principal]:
    return {PRINCIPAL: Principal(name, frozenset(), key_id)}


@given(st.lists(texts, min_size=4, max_size=4), st.lists(texts, min_size=4, max_size=4))
def test_a_key_means_something_for_one_caller_method_and_path(
    one: list[str], other: list[str]
) -> None:
    def place(principal: str, method: str, path: str, key: str) -> bytes:
        return place_of(scope(method=method, path=path, state=sent_by(principal)), key)

    assert (place(*one) == place(*other)) == (one == other)


def test_where_nobody_tells_who_calls_all_are_one() -> None:
    assert place_of(scope(), "k") == place_of(scope(), "k")
    assert place_of(scope(), "k") != place_of(scope(state=sent_by("key:shop")), "k")


def test_all_keys_of_a_client_are_one_caller() -> None:
    places = {place_of(scope(state=sent_by("key:shop", key_id)), "k") for key_id in "ab"}
    assert len(places) == 1


def test_the_next_service_is_given_a_key_that_no_other_caller_has() -> None:
    assert passed_on(scope(), 'a"b') == quoted('a"b')  # whom nobody asks are one caller there, too
    given = [passed_on(scope(state=sent_by(name)), "k") for name in ("key:shop", "key:bank")]
    assert len({passed_on(scope(), "k"), *given}) == 3
    assert given[0] == passed_on(scope(state=sent_by("key:shop", "another")), "k")
    assert all(key_of(headers(each)) for each in given)


@given(st.binary(), st.binary())
def test_bodies_are_compared_byte_by_byte(one: bytes, other: bytes) -> None:
    digests = (hashlib.sha256(body).digest() for body in (one, other))
    first, second = (fingerprint(scope(), digest) for digest in digests)
    assert (first == second) == (one == other)


def test_the_query_the_version_and_the_condition_are_part_of_a_request() -> None:
    body = hashlib.sha256(string.ascii_letters.encode()).digest()
    others = [
        scope(),
        scope(query_string=b"a=1"),
        *(scope(headers=[(b"if-match", tag)]) for tag in (b'"1"', b'"2"', b"*")),
        *(scope(state={OFFER: Offer(JSON, Version(number))}) for number in (1, 2)),
    ]
    assert len({fingerprint(each, body) for each in others}) == len(others)
    named = scope(state={OFFER: Offer(Version(2).media_type, Version(2))})
    assert fingerprint(named, body) == fingerprint(others[-1], body)
