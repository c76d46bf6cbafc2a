"""The committed message classes are what the schemas say."""

from importlib import resources
from typing import Any

import pytest

from schemas import messages
from schemas.catalogue import catalogue
from schemas.gate.avro.parse import record
from schemas.generate import render_all
from schemas.module import Module


@pytest.mark.parametrize(("name", "text"), render_all().items())
def test_committed_classes_match_the_schemas(name: str, text: str) -> None:
    committed = resources.files(messages).joinpath(name).read_text()
    assert committed == text, "the classes have drifted from the schemas; run `make generate`"


def test_there_is_a_class_for_every_message_and_no_other() -> None:
    assert tuple(message.NAME for message in messages.ALL) == catalogue().messages


def test_optional_fields_may_be_left_out() -> None:
    field = {"name": "note", "type": ["null", "string"], "default": None, "doc": "A note."}
    assert "note: str | None = None" in rendered(["x.R"], fields=[field])


def rendered(names: list[str], fields: list[Any]) -> str:
    module = Module()
    for name in names:
        module.add(record({"type": "record", "name": name, "fields": fields}), name)
    return module.render("x")


def test_types_of_one_name_that_differ_are_classes_of_their_own() -> None:
    module = Module()
    for name, symbol in (("x.A", "P"), ("x.B", "P"), ("x.C", "Q")):
        status = {"type": "enum", "name": "Status", "symbols": [symbol]}
        fields = [{"name": "status", "type": status}]
        module.add(record({"type": "record", "name": name, "fields": fields}), name)
    assert [*module.classes] == ["Status", "A", "B", "XStatus", "C"]


def test_a_message_within_another_is_one_class() -> None:
    inner = {"type": "record", "name": "x.Part", "fields": []}
    outer = {"type": "record", "name": "x.Whole", "fields": [{"name": "part", "type": inner}]}
    module = Module()
    for each in (outer, inner):
        module.add(record(each), str(each["name"]))
    assert [*module.classes] == ["Part", "Whole"]
    assert 'NAME: ClassVar[str] = "x.Part"' in module.render("x")


@pytest.mark.parametrize("length", [3, 40, 64])
def test_the_head_of_a_module_fits_into_lines(length: int) -> None:
    head = f"Messages of the `{'x' * length}` context, generated from `avro/{'x' * length}/`."
    text = Module().render(head)
    said = text.partition('"""')[2].partition('"""')[0]
    assert " ".join(said.split()) == f"{head} Do not edit."
    assert max(map(len, text.splitlines())) <= 120
