"""UUIDs are read as the standard library reads them, and refused where it refuses them."""

import pickle
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.uuids import parse_uuid


@given(st.uuids(allow_nil=True))
def test_a_uuid_is_the_one_that_the_standard_library_reads(uuid: UUID) -> None:
    parsed = parse_uuid(str(uuid))
    assert parsed == uuid
    assert hash(parsed) == hash(uuid)
    assert (str(parsed), parsed.is_safe, parsed.version) == (str(uuid), uuid.is_safe, uuid.version)
    assert pickle.loads(pickle.dumps(parsed)) == uuid  # noqa: S301 - our own


@pytest.mark.parametrize("text", ["", "seven", "01a20989-3ed0-7084-90ee-0d59a4a3e1b", "1_0" * 12])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - what it says is the parser's business
        parse_uuid(text)
