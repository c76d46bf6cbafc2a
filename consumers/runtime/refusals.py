"""What a worker refuses to start with, and why: settings under which it could not keep what it promises."""

import time
from collections.abc import Iterator, Sequence
from datetime import timedelta

import faust

from cdc.kafka import TopicError, retention
from cdc.logs import FieldLogger
from cdc.service import StartError
from consumers.runtime.consumer import Consumer

EXACTLY_ONCE = "exactly_once"
PICKLE = "pickle"

PATIENCE_S = 15.0
"""How long a worker that starts waits for Kafka and its topics, before it ends and leaves the rest to its supervisor.

More than the seconds after which the supervisor takes a start for a success, and therefore starts it again at once.
"""
PAUSE_S = 0.2

POLL_INTERVAL_S = 365 * 86_400.0
"""What a worker tells Kafka's client of how long it may go without a poll: a year, so that the client never minds.

While slow handlers keep all partitions full nothing is polled. The client would take that for a dead worker, leave the
group, and join it again at the next poll, which never comes without partitions. Whether a worker goes on is for the
watchdog to judge.
"""


log = FieldLogger(__name__)


class RefusedError(StartError):
    """A worker will not start as it is configured; the text gives each reason in a sentence."""


def check(conf: faust.Settings, consumer: Consumer, bootstrap: str) -> None:
    """Refuse a configuration under which messages could be lost, repeated or read by strangers.

    Args:
        conf: Settings of Faust.
        consumer: What it consumes.
        bootstrap: `host:port` of a broker, asked how long it keeps the topics.

    Raises:
        RefusedError: there is a reason; all of them are told.
    """
    reasons = [*_of_settings(conf), *_of_window(consumer, bootstrap)]
    if reasons:
        raise RefusedError(" ".join(reasons))


def _of_settings(conf: faust.Settings) -> Iterator[str]:
    if str(conf.processing_guarantee.value) == EXACTLY_ONCE:
        yield (
            "Faust's exactly_once is on: it covers Kafka only, its producers are fenced off in rebalances, and effects "
            "are made once by the inbox already; leave processing_guarantee at at_least_once."
        )
    if _any_pickle(conf.key_serializer, conf.value_serializer):
        yield "A serializer is pickle: whoever can write to a topic could run code here; use raw."
    if conf.broker_max_poll_interval < POLL_INTERVAL_S:
        yield (
            f"broker_max_poll_interval is {conf.broker_max_poll_interval:g} s: while slow handlers keep a worker full "
            "it does not poll, and Kafka's client would leave the group for that and stay away; leave the setting "
            "out, as the watchdog ends a worker that stands still."
        )
    if conf.web_enabled:
        tables = " Its /table endpoints show what tables hold." if conf.web_tables_enabled else ""
        yield (
            f"Faust's web server is on, which asks nobody who they are.{tables} A worker has health endpoints of its "
            "own; set web_enabled to false."
        )


def _any_pickle(*codecs: object) -> bool:
    """Tell whether one of Faust's codecs unpickles, by itself or at the end of a chain such as `binary|pickle`."""
    return any(PICKLE in str(codec) for codec in codecs)


def _of_window(consumer: Consumer, bootstrap: str) -> Iterator[str]:
    for topic, kept in _patient_retention(bootstrap, consumer.topics).items():
        window = consumer.inbox_window
        if window is None or (kept is not None and window >= kept):
            continue
        keeps = "for ever" if kept is None else f"for {_words(kept)}"
        yield (
            f"{consumer.name} remembers message ids for {_words(window)}, but Kafka keeps {topic} {keeps}: a record "
            "delivered again after its id was forgotten could not be told from a new one; set inbox_window to at "
            f"least that{', None for ever' if kept is None else ''}."
        )


def _patient_retention(bootstrap: str, topics: Sequence[str]) -> dict[str, timedelta | None]:
    """Return how long Kafka keeps topics; a broker that starts, or a topic that is being made, is waited for."""
    deadline = time.monotonic() + PATIENCE_S
    waits = False
    while True:
        try:
            return retention(bootstrap, topics)
        except TopicError as error:
            if time.monotonic() > deadline:
                raise RefusedError(f"{error}.") from error
            if not waits:
                log.warning("waiting until it can run", because=error)
                waits = True
            time.sleep(PAUSE_S)


def _words(time: timedelta) -> str:
    hours = time.total_seconds() / 3600
    return f"{hours:g} hours"
