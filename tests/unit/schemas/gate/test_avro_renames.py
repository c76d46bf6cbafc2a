"""Renames of fields that nobody has to have: found where one takes the place of another, and nowhere else."""

from typing import Any

import pytest

from schemas.gate.avro.parse import record
from schemas.gate.judge import judge
from schemas.gate.modes import Mode, Version
from schemas.gate.pinned import unfillable, unreadable
from tests.unit.schemas.gate.test_avro_judgement import field, rec

FIRST = field("id", "string", doc="Identity.")
EMPTY: list[Any] = []


def optional(name: str, doc: str = "", **more: Any) -> dict[str, Any]:
    return field(name, ["null", "string"], default=None, doc=doc, **more)


def found(*documents: Any, mode: Mode = Mode.FULL_TRANSITIVE) -> list[str]:
    """Return what is found in the last of some schemas, each later than the one before."""
    *olds, new = (record(each) for each in documents)
    versions = [Version(f"v{number}", each) for number, each in enumerate(olds)]
    return [f"{each.rule}: {each.problem}" for each in judge("s", new, versions, mode)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(optional("city", "Where to."), optional("town", "Where to."), id="doc stays"),
        pytest.param(optional("city"), optional("town"), id="no doc"),
        pytest.param(
            optional("coupon_code", "What it takes off."),
            optional("voucher_code", "The code of the voucher."),
            id="name alike",
        ),
        pytest.param(
            field("city", "string", default="", doc="Where to."),
            optional("town", "Where to."),
            id="null for an empty text",
        ),
        pytest.param(
            field("city", "string", doc="Where to."),
            optional("town", "Where to."),
            id="only the new one is optional",
        ),
    ],
)
@pytest.mark.parametrize("mode", [Mode.BACKWARD, Mode.FULL_TRANSITIVE])
def test_an_optional_field_is_not_renamed_in_silence(before: Any, after: Any, mode: Mode) -> None:
    [finding] = found(rec(FIRST, before), rec(FIRST, after), mode=mode)
    assert finding.startswith(f"field-renamed: renamed from {before['name']} to {after['name']};")


def test_a_rename_is_found_wherever_its_record_stands_and_goes() -> None:
    def lines(*fields: Any) -> Any:
        return rec(field("lines", {"type": "map", "values": ["null", rec(*fields, name="Line")]}))

    before, after = (
        lines(optional("note", "Free.")),
        lines(FIRST | {"default": ""}, optional("text", "Free.")),
    )
    assert found(before, after) == EMPTY  # neither place nor name
    after = lines(optional("noted", "Free."), FIRST | {"default": ""})
    assert len(found(before, after)) == 1


def test_an_alias_settles_it_and_helps_those_who_have_it() -> None:
    before, after = rec(FIRST, optional("city")), rec(optional("zip", aliases=["city"]), FIRST)
    assert found(before, after, mode=Mode.BACKWARD_TRANSITIVE) == EMPTY
    assert found(before, after, mode=Mode.FORWARD) == [
        "field-renamed: renamed from city to zip; a consumer that still has the old schema finds no city"
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(optional("note", "What to mind."), optional("gift", "Wrapped how."), id="doc"),
        pytest.param(optional("note"), field("notes", "long", default=0), id="type"),
        pytest.param(
            optional("valid_from", "When it begins."),
            field("valid_until", ["null", "long"], default=None, doc="When it ends."),
            id="name alone",
        ),
    ],
)
def test_one_field_may_go_and_another_come(before: Any, after: Any) -> None:
    assert found(rec(FIRST, before), rec(FIRST, after)) == EMPTY


def test_the_way_out_is_two_changes() -> None:
    old, between, new = rec(FIRST, optional("city")), rec(FIRST), rec(FIRST, optional("town"))
    assert found(old, between) == found(old, between, new) == EMPTY
    both = rec(FIRST, optional("city"), optional("town"))
    assert found(old, both) == found(old, both, new) == EMPTY
    assert found(old, new) != EMPTY


def test_what_a_reader_does_not_pin_was_not_renamed() -> None:
    written = record(rec(FIRST, optional("city"), optional("zip")))
    reader = record(rec(FIRST, optional("town")))
    assert unreadable("s", written, reader) == EMPTY
    assert unfillable("s", reader, [Version("v0", written)], Mode.FULL_TRANSITIVE) == EMPTY
