"""Bytes written by every version of every schema so far, and what today's classes must make of them.

The files under `schemas/golden/` are records of the past. A new version of a schema gets a file of its own, by
`tailrace schema golden`; an old file changes only when what old bytes mean is to change.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.catalogue import catalogue
from schemas.codec import HEADER, Codec
from schemas.contracts import Golden, avsc, goldens
from schemas.datum import DatumWriter
from schemas.gate.avro.parse import record
from schemas.json_form import JsonForm
from schemas.messages import ALL
from schemas.registry import SchemaStore
from schemas.samples import next_golden, sample

GOLDENS = goldens()


@pytest.mark.parametrize("golden", GOLDENS, ids=lambda golden: golden.label)
def test_old_bytes_mean_what_they_meant(tmp_path: Path, golden: Golden) -> None:
    store = SchemaStore("http://127.0.0.1:9", tmp_path)
    store.directory.mkdir()
    (store.directory / "7.avsc").write_text(json.dumps(golden.schema))
    message = Codec(store, ALL).decode(HEADER.pack(0, 7) + golden.datum)
    schema = avsc(golden.message)
    today = JsonForm(schema).read(DatumWriter(record(schema)).write(message.to_avro()))
    assert as_far_as(golden.reads_as, today) == golden.reads_as


def test_every_message_has_golden_bytes_of_its_newest_version() -> None:
    assert {golden.message for golden in GOLDENS} == set(catalogue().messages)
    assert [name for name in catalogue().messages if next_golden(name)] == []


@pytest.mark.parametrize("name", catalogue().messages)
def test_a_sample_can_be_written_and_has_something_in_every_field(name: str) -> None:
    form = JsonForm(avsc(name))
    value = sample(avsc(name))
    assert None not in form.read(form.write(value)).values()


def as_far_as(expected: Any, value: Any) -> Any:
    """Return a value without the fields that were added later."""
    match expected, value:
        case dict(), dict():
            return {key: as_far_as(expected[key], value[key]) for key in expected if key in value}
        case list(), list() if len(expected) == len(value):
            return [as_far_as(*pair) for pair in zip(expected, value, strict=True)]
    return value
