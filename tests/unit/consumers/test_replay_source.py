"""What stands between a source and handlers: a pace, the window of an inbox, what people have decided."""

from collections.abc import Mapping
from uuid import UUID

import pytest

from cdc.kafka_record import KafkaRecord
from consumers.replay.engine import Pace
from consumers.replay.errors import ReplayError
from consumers.replay.live import Remembered
from consumers.replay.manual_edits import ManualEdits
from consumers.replay.source import Batch, Changed, Fetch
from consumers.replay.state import RunState, States
from consumers.replay.to_topic import Republisher
from consumers.runtime.delivery import Delivery, Replay
from consumers.runtime.store import Place
from consumers.runtime.window import InboxWindow
from schemas.catalogue import catalogue

PLACE = Place("order.events", 0)
OLD, NEW, NEWER = (str(UUID(int=number << 100 | 0x7 << 76 | 0x2 << 62)) for number in (1, 2, 3))


class Given:
    """A source of one fetch."""

    def __init__(self, *ids: str, value: bytes = b"v") -> None:
        self.is_closed = False
        records = [
            KafkaRecord("order.events", 0, at, 0, b"k", value, [("ce_id", each.encode())])
            for at, each in enumerate(ids)
        ]
        self._left: list[Fetch] = [Fetch([Batch(PLACE, records)], len(records))]

    def begin(self, positions: Mapping[Place, int]) -> None:
        pass

    def fetch(self) -> Fetch | None:
        return self._left.pop() if self._left else None

    def origin(self, record: KafkaRecord) -> str:
        return ""

    def complaint(self) -> str:
        return ""

    def close(self) -> None:
        self.is_closed = True


def ids_of(fetched: Fetch | None) -> list[str]:
    assert fetched is not None
    headers = [dict(record.headers) for batch in fetched.batches for record in batch.records]
    return [(each["ce_id"] or b"").decode() for each in headers]


def test_what_is_older_than_the_inbox_remembers_is_left_out_and_counted() -> None:
    remembered = Remembered(InboxWindow(first=NEW))
    source = Changed(Given(OLD, NEW.upper()), remembered.of)
    assert ids_of(source.fetch()) == [NEW.upper()]
    assert remembered.too_old == 1
    assert source.fetch() is None


def test_a_rebuild_takes_messages_as_people_have_decided() -> None:
    decided = ManualEdits(frozenset({OLD}), {NEW: b"mended"}, frozenset())
    fetched = Changed(Given(OLD.upper(), NEW, NEWER), decided.applied).fetch()
    assert ids_of(fetched) == [NEW, NEWER]
    assert fetched is not None
    assert [record.value for record in fetched.batches[0].records] == [b"mended", b"v"]
    waiting = ManualEdits(waiting=frozenset({NEW}))
    assert ids_of(Changed(Given(OLD, NEW.upper()), waiting.applied).fetch()) == [OLD]


class Failed:
    """A producer that has failed for good."""

    def produce(self, *_: object, **__: object) -> None:
        pass

    def poll(self, _: float) -> int:
        raise SystemError("returned a result with an exception set")

    flush = poll

    def __len__(self) -> int:
        return 1


@pytest.mark.parametrize(
    ("producer", "value"), [(Failed(), b"v"), (None, bytes(catalogue().batch_bytes + 1))]
)
def test_what_cannot_be_published_is_told_in_words_and_the_source_closed(
    monkeypatch: pytest.MonkeyPatch, producer: Failed | None, value: bytes
) -> None:
    source = Given(OLD, value=value)
    publisher = Republisher("127.0.0.1:1", "copy", lambda *_: None, lambda: None)
    if producer:
        monkeypatch.setattr(publisher, "_producer", producer)
    with pytest.raises(ReplayError, match="did not take all records for copy"):
        publisher.run(source, {}, tell=lambda _: None, rate=None)
    assert source.is_closed


def test_a_pace_cuts_batches_to_half_a_second() -> None:
    [batch] = Given(*[OLD] * 25)._left[0].batches
    assert [len(part.records) for part in Pace(20).parts(batch)] == [10, 10, 5]
    assert [len(part.records) for part in Pace(0.5).parts(batch)] == [1] * 25
    assert Pace(None).parts(batch) == [batch]
    pace = Pace(10)
    assert pace.wait_s(5) == 0
    assert 0.3 < pace.wait_s(5) <= 0.5


def test_handlers_can_ask_whether_they_are_in_a_replay() -> None:
    headers = [
        ("ce_id", str(UUID("01a20999-13c2-7477-bc0d-7ecf0b47d38d")).encode()),
        ("ce_type", b"orders.OrderCreated"),
        ("correlation_id", str(UUID("01a20999-13c2-7477-bc0d-7ecf0b47d38d")).encode()),
    ]
    record = KafkaRecord("order.events", 0, 1, 0, b"k", b"v", headers)
    assert Delivery.of(record).replay is None
    run = record._replace(headers=[*headers, ("replay_run", b"20261123-100000-1f3c")])
    assert Delivery.of(run).replay == Replay(run_id="20261123-100000-1f3c", replayed_from=None)
    again = record._replace(headers=[*headers, ("replayed_from", b"order.events/3/17")])
    assert Delivery.of(again).replay == Replay(run_id=None, replayed_from="order.events/3/17")


def test_a_state_is_kept_until_it_is_forgotten(tmp_path_factory: pytest.TempPathFactory) -> None:
    states = States(tmp_path_factory.mktemp("home") / "replays")
    with pytest.raises(ReplayError, match="nothing to resume"):
        states.load("last")
    ranges = [
        {"topic": "t", "partition": p, "begin": 10, "end": 20, "count": 10, "first_at": None}
        for p in (0, 1)
    ]
    plan = {
        "source": "kafka",
        "why": "",
        "start": None,
        "end": None,
        "is_whole": True,
        "reaches": [["t", 0, 20], ["t", 1, 20]],
        "ranges": ranges,
    }
    for run_id in ("20261123-100000-1f3c", "20261124-100000-0a0a"):
        state = RunState(run_id=run_id, mode="topic", asked={}, plan=plan, target="copy")
        state.note(Place("t", 1), 15)
        states.save(state)
    assert states.load("last").run_id == "20261124-100000-0a0a"
    assert states.load("20261123-100000-1f3c").places() == {Place("t", 0): 10, Place("t", 1): 15}
    states.forget("20261124-100000-0a0a")
    assert states.load("last").run_id == "20261123-100000-1f3c"
    with pytest.raises(ReplayError, match=r"no replay \.\./x"):
        states.load("../x")
