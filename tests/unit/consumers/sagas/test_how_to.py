"""What `docs/how-to/write-a-saga.md` shows is what works."""

import asyncio
import dataclasses
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from consumers.runtime.handlers import handles
from consumers.runtime.outside import RealOutside
from consumers.runtime.work import Work
from consumers.testing.memory import MemoryDatabase
from consumers.testing.records import NewRecord, deliver
from consumers.testing.scenario import Scenario
from consumers.testing.schemas import codec_of_all
from infra.settings import REPOSITORY
from schemas.catalogue import Catalogue, parse
from tests.sagas import REAL, Trial, enter_world
from tests.walk import STEP

PAGE = REPOSITORY / "docs/how-to/write-a-saga.md"
CATALOGUE = REPOSITORY / "schemas/catalogue.toml"
FIELDS = {
    "TripOrdered": ["nights", "seat"],
    "HoldSeat": ["seat"],
    "HoldRoom": ["nights"],
    "RoomHeld": ["room"],
    "SendTickets": ["room"],
}
TYPES = {"nights": int, "room": str, "seat": str}


class Page:
    """The page, and the modules that its code makes."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        blocks = [(kind, text) for _, kind, text in STEP.findall(PAGE.read_text())]
        self._code = [text for kind, text in blocks if kind == "python"]
        [topics] = [text for kind, text in blocks if kind == "toml"]
        self._patch = patch
        declared = parse(f"{CATALOGUE.read_text()}\n{topics}")
        enter_world(patch, declared, self._classes(declared))

    def module(self, number: int, name: str) -> dict[str, Any]:
        """Run one of its blocks as a module of a name."""
        module = ModuleType(name)
        self._patch.setitem(sys.modules, name, module)
        exec(self._code[number], module.__dict__)  # noqa: S102 - it is our own page
        return module.__dict__

    def _classes(self, declared: Catalogue) -> tuple[Any, ...]:
        messages = ModuleType("schemas.messages.trips")
        new = [each for each in declared.messages if each not in REAL().messages]
        for name in new:
            record = name.rpartition(".")[2]
            fields = [("trip_id", str), *((each, TYPES[each]) for each in FIELDS.get(record, ()))]
            made = dataclasses.make_dataclass(
                record, fields, namespace=NAMESPACE, frozen=True, kw_only=True
            )
            made.NAME = name  # type: ignore[attr-defined]
            setattr(messages, record, made)
        self._patch.setitem(sys.modules, messages.__name__, messages)
        return tuple(getattr(messages, name.rpartition(".")[2]) for name in new)


NAMESPACE: dict[str, Any] = {
    "READER": None,
    "to_avro": dataclasses.asdict,
    "from_avro": Trial.__dict__["from_avro"],
}


@pytest.fixture
def trial_world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """Stand in for the world of the other tests."""
    yield Page(monkeypatch)
    codec_of_all.cache_clear()


def test_the_page_is_true(trial_world: Page) -> None:
    page = trial_world
    page.module(0, "consumers.booking.saga")
    bootstrap = page.module(1, "consumers.booking.bootstrap")
    consumer = bootstrap["create_consumer"](None, RealOutside())
    assert consumer.topics == ("booking.replies", "trip.events")
    tests = page.module(2, "test_booking")
    shown = [name for name in tests if name.startswith("test_")]
    assert len(shown) == 3
    for name in shown:
        tests[name]()


def answering(command: Any, reply: Any) -> Any:
    @handles(command)
    async def answer(message: Any, work: Work) -> None:
        await work.reply(reply(trip_id=message.trip_id))

    return answer


def test_the_seat_of_a_trip_is_its_own_until_it_is_decided(
    trial_world: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    trips: Any = sys.modules["schemas.messages.trips"]
    commands: Any = ModuleType("consumers.partners.commands")
    commands.hold_seat = answering(trips.HoldSeat, trips.SeatHeld)
    commands.free_seat = answering(trips.FreeSeat, trips.SeatFreed)
    commands.send_tickets = answering(trips.SendTickets, trips.TicketsSent)
    package: Any = ModuleType("consumers.partners")
    package.commands = commands
    monkeypatch.setitem(sys.modules, package.__name__, package)
    partners = trial_world.module(3, "consumers.partners.bootstrap")

    def record(message: Any) -> NewRecord:
        return deliver(message, reply_to="booking.replies")

    async def run() -> None:
        consumer = partners["create_consumer"](None, RealOutside())
        scenario: Scenario[Any] = Scenario(consumer, MemoryDatabase({}))
        await scenario.when(
            *(record(trips.HoldSeat(trip_id=trip, seat="7A")) for trip in ("trip-1", "trip-2"))
        )
        scenario.then_sent(trips.SeatHeld)
        await scenario.when(record(trips.FreeSeat(trip_id="trip-1")))
        await scenario.after(seconds=0)
        scenario.then_sent(trips.SeatHeld, trips.SeatFreed, trips.SeatHeld)
        assert [each.key for each in scenario.outbox] == ["trip-1", "trip-1", "trip-2"]

    asyncio.run(run())
