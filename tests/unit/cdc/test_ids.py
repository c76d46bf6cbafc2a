"""What an id tells of when it was made."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

from cdc.ids import first_id_at, made_at, made_ms, new_id

NOW = datetime(2026, 3, 4, 5, 6, 7, 125_000, tzinfo=UTC)
VERSION = 0x7 << 76 | 0x2 << 62


def test_an_id_tells_when_it_was_made() -> None:
    first = first_id_at(NOW)
    assert made_ms(first) == NOW.timestamp() * 1000
    assert made_at(UUID(int=first.int | VERSION)) == NOW
    assert first < new_id()


def test_an_id_of_another_kind_or_of_no_date_tells_none() -> None:
    assert made_at(uuid4()) is None
    assert made_at(UUID(int=(1 << 128) - (1 << 80) | VERSION)) is None
