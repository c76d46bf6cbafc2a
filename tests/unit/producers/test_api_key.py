"""API keys as text: made, read, found by scanners, and never shown where they should not be."""

import re
import string
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.rest.access.api_key import PREFIX, ApiKey


def test_a_key_is_read_as_it_was_made() -> None:
    key = ApiKey.new()
    assert re.fullmatch(r"trk_[0-9A-Za-z]{12}_[0-9A-Za-z]{38}", key.text)
    assert ApiKey.parse(key.text) == key
    assert key.text.startswith(f"{PREFIX}{key.key_id}_")


def test_no_two_keys_are_alike() -> None:
    keys = [ApiKey.new() for _ in range(1000)]
    assert len({key.key_id for key in keys}) == len({key.digest for key in keys}) == 1000


def test_the_checksum_is_the_crc_in_base_62_as_scanners_reckon_it() -> None:
    text = ApiKey.new().text
    number = 0
    for digit in text[-6:]:
        number = number * 62 + (
            string.digits + string.ascii_uppercase + string.ascii_lowercase
        ).index(digit)
    assert number == zlib.crc32(text[:-6].encode())


@given(st.integers(0, 54), st.sampled_from(string.ascii_letters + string.digits + "_-. é\n"))
def test_a_key_with_another_character_is_none(place: int, character: str) -> None:
    text = ApiKey.new().text
    changed = text[:place] + character + text[place + 1 :]
    assert (ApiKey.parse(changed) is None) == (changed != text)


@pytest.mark.parametrize(
    "change",
    [str.upper, lambda t: t + "0", lambda t: t[:-1], lambda t: f" {t}", lambda t: t + "\n"],
)
def test_a_key_that_was_not_copied_as_it_is_is_none(change: object) -> None:
    assert callable(change)
    assert ApiKey.parse(change(ApiKey.new().text)) is None


@given(st.text())
def test_other_texts_are_no_keys(text: str) -> None:
    assert ApiKey.parse(text) is None
    assert ApiKey.parse(PREFIX + text) is None


def test_a_key_is_not_shown_by_what_logs_and_tracebacks_show() -> None:
    key = ApiKey.new()
    secret = key.text.rpartition("_")[2]
    assert secret not in f"{key} {key!r} {[key]}"
    assert key.key_id in repr(key)
