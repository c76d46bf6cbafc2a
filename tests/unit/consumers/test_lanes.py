"""What a lane takes in at a time."""

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cdc.kafka_record import KafkaRecord
from consumers.runtime.lanes import MOST_BYTES, Fetched

SIZES = st.one_of(
    st.none(), st.integers(0, 100), st.integers(MOST_BYTES // 3, MOST_BYTES + MOST_BYTES // 3)
)


def records(sizes: Sequence[int | None]) -> list[KafkaRecord]:
    return [
        KafkaRecord("t", 0, offset, 0, b"k", None if size is None else bytes(size), ())
        for offset, size in enumerate(sizes)
    ]


@given(st.lists(SIZES, min_size=1, max_size=12))
def test_a_fetch_is_cut_where_its_records_are_large_and_is_done_with_its_last_part(
    sizes: Sequence[int | None],
) -> None:
    done = list[str]()
    fetched = Fetched(records(sizes), lambda: done.append("done"))
    parts = list(fetched.parts())
    assert [record for part in parts for record in part.records] == fetched.records
    lengths = [[len(record.value or b"") for record in part.records] for part in parts]
    assert all(sum(each) <= MOST_BYTES or len(each) == 1 for each in lengths)
    # none ends before the next record would be too much
    assert all(sum(each) + after[0] > MOST_BYTES for each, after in pairwise(lengths))
    for part in parts[:-1]:
        part.done()
    assert not done
    parts[-1].done()
    assert done == ["done"]


def test_small_records_stay_together() -> None:
    fetched = Fetched(records([70] * 5000))
    assert list(fetched.parts()) == [fetched]
