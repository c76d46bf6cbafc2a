"""What the benchmark `formats` measures is the same message in every format."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from schemas.message import Message
from tests.bench.errors import BenchError
from tests.bench.formats import by_json, by_protobuf
from tests.bench.formats.format import Format
from tests.bench.formats.run import AVRO, FORMATS, JSON, PROTOBUF, measured, ratios
from tests.bench.formats.values import MESSAGES, order_of
from tests.bench.outcome import Run


@pytest.mark.parametrize("of", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_every_format_gives_every_message_back(
    of: Callable[[Message], Format], message: Message
) -> None:
    figures = measured(of(message), message, each_ms=0.01)
    assert all(value > 0 for value in figures.values())
    form = of(message)
    assert form.decode(form.write(form.own)) == message


def test_an_order_without_what_may_be_missing_stays_without() -> None:
    order = order_of(2)
    bare = replace(
        order,
        pricing=None,
        lines=tuple(replace(line, tax=None, tax_rate=None) for line in order.lines),
    )
    for of in FORMATS.values():
        assert of(bare).decode(of(bare).encode(bare)) == bare


def test_json_and_protobuf_read_the_same_number_of_fields() -> None:
    message = MESSAGES["order_10"]
    read = [of(message).read(of(message).encode(message)) for of in (by_json.of, by_protobuf.of)]
    assert [_leaves(each) for each in read] == [7 + 10 * 6 + 2, 7 + 10 * 6 + 3]  # a time is two


def _leaves(value: object) -> int:
    return sum(map(_leaves, value)) if isinstance(value, tuple | list) else 1


def test_a_format_that_loses_something_is_not_measured() -> None:
    message = MESSAGES["command"]
    lossy = replace(by_json.of(message), decode=lambda _: MESSAGES["sign_up"])
    with pytest.raises(BenchError, match="came back as"):
        measured(lossy, message, each_ms=0.01)


def test_ratios_are_in_units_of_plain_json() -> None:
    sizes = {JSON: 400.0, PROTOBUF: 100.0, AVRO: 50.0}
    runs = [
        Run(contender=name, kind="order_1", round=1, events=1, figures={"bytes": size})
        for name, size in sizes.items()
    ]
    assert ratios(runs) == {"order_1_protobuf_bytes": 0.25, "order_1_avro_bytes": 0.125}
