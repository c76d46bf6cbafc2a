"""Keys dealt out by their hash: what a publication takes, and what stays as it was with one connector."""

import pytest
from psycopg import sql

from cdc import retention
from cdc.publication import published
from cdc.shards import ALL, Keys

TABLE = sql.Identifier("orders", "outbox")


def test_one_connector_has_no_row_filter() -> None:
    assert ALL.row_filter is None
    assert published(TABLE, ALL.row_filter).as_string() == '"orders"."outbox"'


@pytest.mark.parametrize("number", [0, 1, 2])
def test_each_of_several_has_a_remainder_of_its_own(number: int) -> None:
    told = published(TABLE, Keys(number, 3).row_filter).as_string()
    assert told == (
        '"orders"."outbox" where ((hashtextextended(aggregate_id, 0) & 9223372036854775807) % 3 = '
        f"{number})"
    )
    assert Keys(number, 3).parameters == {"shards": 3, "shard": number}


def test_retention_is_told_of_every_slot() -> None:
    assert retention.slot("a") == "slot:a"
    assert retention.slot("a", "b") == "slot:a,b"
