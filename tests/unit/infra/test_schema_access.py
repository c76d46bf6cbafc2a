"""Connections that are shared: what one of them is lost with, and for whom it is opened anew."""

import psycopg
import pytest

from infra.schema_access import Schemas
from infra.settings import load_settings


class Opened:
    def __init__(self) -> None:
        self.closed = self.is_lost = False

    def execute(self, _: str) -> None:
        if self.is_lost:
            self.closed = True
        if self.closed:
            raise psycopg.OperationalError("the connection is lost")

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Opened]:
    made: list[Opened] = []

    def connect(*_: object, **_options: object) -> Opened:
        made.append(Opened())
        return made[-1]

    monkeypatch.setattr("infra.schema_access.connect", connect)
    return made


@pytest.fixture
def schemas() -> Schemas:
    return Schemas(load_settings().deployment())


def test_connections_are_shared_and_closed_by_the_last_one(
    opened: list[Opened], schemas: Schemas
) -> None:
    with schemas.opened() as first, schemas.opened() as second:
        assert {**first} == {**second}
        number = len(opened)
    assert all(each.closed for each in opened)
    with schemas.opened():
        assert len(opened) == 2 * number


def test_what_was_lost_is_opened_anew_while_others_go_on(
    opened: list[Opened], schemas: Schemas
) -> None:
    with schemas.opened() as held:
        number = len(opened)
        opened[0].closed = opened[1].is_lost = True  # nobody has noticed yet that this one is
        with schemas.opened() as anew:
            assert len(opened) == number + 2
            assert not any(each.closed for each in anew.values())
            assert sum(anew[name] is not held[name] for name in held) == 2
    assert all(each.closed for each in opened)


def test_who_cannot_open_them_leaves_none_open(
    opened: list[Opened], schemas: Schemas, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(*_: object, **_options: object) -> Opened:
        if len(opened) == 3:
            raise psycopg.OperationalError("no more")
        opened.append(Opened())
        return opened[-1]

    monkeypatch.setattr("infra.schema_access.connect", connect)
    with pytest.raises(psycopg.OperationalError), schemas.opened():
        pass
    assert [each.closed for each in opened] == [True] * 3
