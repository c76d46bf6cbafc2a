"""The verdicts hold for data: what passes is read as the reader says, and what is refused fails for some."""

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.datum import DatumReader, DatumWriter, UndecodableError
from schemas.gate.avro.parse import record
from schemas.gate.avro.resolution import check, check_strictly
from tests.examples import times
from tests.unit.schemas.gate.avro_worlds import World, data

dice = st.randoms(
    use_true_random=True
)  # evenly spread; numbers that Hypothesis picks one by one crowd at zero


def failures(reader: Any, writer: Any) -> list[Exception]:
    """Return what is raised when data of the writer are read by the reader, and fit its schema."""
    writes, reads = record(writer), record(reader)
    first, then, again = (
        DatumWriter(writes),
        DatumReader(writes, reads, tagged=True),
        DatumWriter(reads),
    )
    errors: list[Exception] = []
    for datum in data(writes):
        try:
            again.write(then.read(first.write(datum)))
        except UndecodableError as error:
            errors.append(error)
    return errors


@given(dice)
@times(1.5)
def test_what_passes_is_read_as_what_the_schema_says(dice: random.Random) -> None:
    old, new = World.of(dice).pair()
    for reader, writer in ((new, old), (old, new)):
        if not check_strictly(record(reader), record(writer)):
            assert failures(reader, writer) == []


@given(dice)
@times(1.5)
def test_what_is_refused_has_data_that_fail(dice: random.Random) -> None:
    old, new = World.of(dice).pair()
    for reader, writer in ((new, old), (old, new)):
        found = check(record(reader), record(writer))
        if any(not each.rule.is_silent and each.rule.name != "ALIAS_AMBIGUOUS" for each in found):
            assert failures(reader, writer)


@given(dice)
def test_what_is_written_is_read_as_it_was(dice: random.Random) -> None:
    schema = record(World.of(dice).pair()[0])
    writer, reader = DatumWriter(schema), DatumReader(schema, tagged=True)
    for datum in data(schema):
        read = reader.read(writer.write(datum))
        assert writer.write(read) == writer.write(datum)
        assert bare(read) == bare(datum)


def bare(datum: Any) -> Any:
    """Return a datum without the names of its types; null comes without one."""
    match datum:
        case (str(), held) if isinstance(datum, tuple):
            return bare(held)
        case dict():
            return {key: bare(each) for key, each in datum.items()}
        case list():
            return [bare(each) for each in datum]
    return datum
