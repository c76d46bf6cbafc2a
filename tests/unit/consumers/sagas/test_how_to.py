"""What `docs/how-to/write-a-saga.md` shows is what works."""

import dataclasses
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from consumers.runtime.outside import RealOutside
from consumers.testing.schemas import codec_of_all
from infra.settings import REPOSITORY
from schemas.catalogue import Catalogue, parse
from tests.sagas import REAL, Trial, enter_world
from tests.walk import STEP

PAGE = REPOSITORY / "docs/how-to/write-a-saga.md"
CATALOGUE = REPOSITORY / "schemas/catalogue.toml"
FIELDS = {
    "TripOrdered": ["nights"],
    "HoldRoom": ["nights"],
    "RoomHeld": ["room"],
    "SendTickets": ["room"],
}
TYPES = {"nights": int, "room": str}


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
