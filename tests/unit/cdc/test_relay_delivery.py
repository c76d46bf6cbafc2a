"""What the relay takes for delivered, by a producer that is told what to answer."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError, Message

from cdc.relay import delivery
from cdc.relay.delivery import Delivery, DeliveryError, Row
from tests.unit.cdc.test_reconciliation_parts import ROW

Report = Callable[[KafkaError | None, Message | None], None]


class Told:
    """A producer that answers for each record so when it is waited for; not at all when it is told nothing."""

    def __init__(self, *answers: KafkaError | None) -> None:
        self._answers = answers
        self._reports: list[Report] = []

    def produce(self, *_: object, on_delivery: Report, **__: object) -> None:
        self._reports.append(on_delivery)

    def flush(self, _: float) -> int:
        for report, answer in zip(list(self._reports), self._answers, strict=False):
            self._reports.remove(report)
            report(answer, None)
        return len(self._reports)

    def purge(self) -> None:
        """Give up nothing."""


@pytest.fixture
def deliver(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    def with_answers(*answers: KafkaError | None) -> Any:
        monkeypatch.setattr(delivery, "open_producer", lambda *_, **__: Told(*answers))
        made = Delivery("nowhere:1", message_timeout_s=1, delivery_s=1)
        return made.deliver_each(
            [Row("orders", ROW)], until=lambda: time.monotonic() + 1, sign=lambda: None
        )

    return with_answers


def test_a_row_without_an_answer_is_not_taken_for_delivered(deliver: Callable[..., Any]) -> None:
    assert deliver(None) == []
    [refused] = deliver(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
    assert refused.because == "row"
    with pytest.raises(DeliveryError, match="does not give up"):
        deliver()
