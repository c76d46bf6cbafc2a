"""The committed message classes are what the schemas say."""

from importlib import resources

import pytest

from schemas import messages
from schemas.catalogue import catalogue
from schemas.generate import Module, render_all


@pytest.mark.parametrize(("name", "text"), render_all().items())
def test_committed_classes_match_the_schemas(name: str, text: str) -> None:
    committed = resources.files(messages).joinpath(name).read_text()
    assert committed == text, "the classes have drifted from the schemas; run `make generate`"


def test_there_is_a_class_for_every_message_and_no_other() -> None:
    assert tuple(message.NAME for message in messages.ALL) == catalogue().messages


def test_a_type_without_a_python_form_is_refused() -> None:
    field = {"name": "f", "type": {"type": "map", "values": "int"}, "doc": ""}
    with pytest.raises(ValueError, match="map"):
        Module().add({"type": "record", "name": "R", "doc": "", "fields": [field]})


def test_optional_fields_may_be_left_out() -> None:
    module = Module()
    field = {"name": "note", "type": ["null", "string"], "default": None, "doc": "A note."}
    module.add({"type": "record", "name": "R", "doc": "A record.", "fields": [field]}, "x.R")
    assert "note: str | None = None" in module.render("x")
