"""The verdicts hold for data: what the gate lets pass decodes, and for what it refuses there are data that fail."""

import io
import random
from typing import Any

import fastavro
from fastavro.validation import validate
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.gate.avro import check
from schemas.gate.avro_parse import parse
from schemas.gate.avro_rules import Mismatch
from tests.unit.schemas.gate.avro_worlds import World, data

dice = st.randoms(
    use_true_random=True
)  # evenly spread; numbers that Hypothesis picks one by one crowd at zero


def failures(reader: Any, writer: Any) -> list[Exception]:
    """Return what fastavro raises when data of the writer, one by one, are read with the reader."""
    writes, reads = fastavro.parse_schema(writer), fastavro.parse_schema(reader)
    errors: list[Exception] = []
    for datum in data(parse(writer)):
        buffer = io.BytesIO()
        fastavro.schemaless_writer(buffer, writes, datum)
        buffer.seek(0)
        try:
            read = fastavro.schemaless_reader(buffer, writes, reads)
            if "logicalType" not in str(writer) + str(reader):  # fastavro converts by the writer's
                validate(read, reads, strict=True)
        except Exception as error:  # noqa: BLE001 - fastavro raises whatever it runs into
            errors.append(error)
    return errors


def broken(reader: Any, writer: Any) -> list[Mismatch]:
    return [found for found in check(parse(reader), parse(writer)) if not found.rule.is_silent]


@given(dice)
@settings(max_examples=400, deadline=None)
def test_what_passes_decodes(dice: random.Random) -> None:
    old, new = World.of(dice).pair()
    for reader, writer in ((new, old), (old, new)):
        if not broken(reader, writer):
            assert failures(reader, writer) == []


@given(dice)
@settings(max_examples=400, deadline=None)
def test_what_is_refused_has_data_that_fail(dice: random.Random) -> None:
    old, new = World.of(dice).pair()
    for reader, writer in ((new, old), (old, new)):
        if broken(reader, writer):
            assert failures(reader, writer)
