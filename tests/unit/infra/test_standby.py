"""Which server of Postgres is the primary, as its data tell, and when the other may take over."""

from dataclasses import replace
from pathlib import Path

import pytest

from cdc.standby import Standby, SynchronisedSlot
from infra.errors import RequestError
from infra.local.doctor.standby import told
from infra.local.standby.files import FENCED, fenced, present
from infra.local.standby.promote import Plan, PromotionError, plan
from infra.local.standby.status import PostgresReport, troubles, unpromotable
from infra.operations.doctor.check import Trouble
from infra.settings import STANDBY_SIGNAL, Settings
from tests.stack import own_settings

SERVERS = FIRST, SECOND = "postgres", "postgres-2"
FOLLOWING = Standby(
    is_streaming=True,
    is_waited_for=True,
    is_synchronous=True,
    flushed_lsn="0/1",
    written_lsn="0/1",
)
SLOT = SynchronisedSlot(
    synced=True,
    temporary=False,
    failover=True,
    invalidation_reason=None,
    restart_lsn="0/1",
    confirmed_flush_lsn="0/1",
)
WELL = PostgresReport(
    primary=FIRST,
    standby=SECOND,
    fenced=None,
    primary_answers=True,
    standby_answers=True,
    replication=FOLLOWING,
    slot=SLOT,
    needs_slot=True,
)
LOST = replace(WELL, primary_answers=False, replication=None)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return own_settings(tmp_path / "home", profile="cluster")


def make_data(settings: Settings, server: str, *, standby: bool, name: str = "data") -> None:
    data = settings.home / server / name
    data.mkdir(parents=True)
    (data / "PG_VERSION").touch()
    if standby:
        (data / STANDBY_SIGNAL).touch()


def test_the_first_server_begins(settings: Settings) -> None:
    assert (settings.primary, settings.standby) == SERVERS
    assert present(settings) == (None, None)
    make_data(settings, FIRST, standby=False)
    assert present(settings) == (FIRST, None)


def test_after_a_promotion_the_data_tell_who_is_the_primary(settings: Settings) -> None:
    make_data(settings, FIRST, standby=True)
    make_data(settings, SECOND, standby=False)
    assert (settings.primary, settings.standby) == present(settings) == (SECOND, FIRST)
    assert settings.deployment().main.connect_port == settings.postgres_2_port


def test_in_the_midst_of_a_promotion_it_is_the_one_that_is_to_become_it(settings: Settings) -> None:
    make_data(settings, FIRST, standby=True, name=FENCED)
    make_data(settings, SECOND, standby=True)
    assert settings.primary == SECOND
    assert present(settings) == (None, SECOND)
    assert fenced(settings) == FIRST


def test_one_server_has_no_standby(tmp_path: Path) -> None:
    settings = own_settings(tmp_path / "home")
    assert (settings.primary, settings.standby) == (FIRST, None)
    assert "target_session_attrs" not in settings.database_url("orders")


def test_services_are_told_of_both_servers_whoever_is_the_primary(settings: Settings) -> None:
    first, second = settings.postgres_ports.values()
    before = settings.database_url("orders")
    assert f"@127.0.0.1:{first},127.0.0.1:{second}/tailrace?" in before
    assert "target_session_attrs=primary" in before
    make_data(settings, FIRST, standby=True)
    make_data(settings, SECOND, standby=False)
    assert settings.database_url("orders") == before
    assert f"@127.0.0.1:{first}/postgres?" in settings.server_url(FIRST, "postgres", "postgres")


@pytest.mark.parametrize(
    ("primary", "standby", "set_aside", "wanted"),
    [
        (FIRST, SECOND, None, Plan(FIRST, SECOND, is_promoted=False)),
        (SECOND, FIRST, None, Plan(SECOND, FIRST, is_promoted=False)),
        # interrupted before the standby took writes; then before there was a new one
        (None, SECOND, FIRST, Plan(FIRST, SECOND, is_promoted=False)),
        (SECOND, None, FIRST, Plan(FIRST, SECOND, is_promoted=True)),
        # the primary's disk is lost
        (None, SECOND, None, Plan(FIRST, SECOND, is_promoted=False)),
    ],
)
def test_what_a_promotion_has_to_do(
    primary: str | None, standby: str | None, set_aside: str | None, wanted: Plan
) -> None:
    assert plan(SERVERS, primary, standby, set_aside) == wanted


def test_without_a_standby_nothing_is_promoted() -> None:
    with pytest.raises(PromotionError, match="no standby to promote: `tailrace postgres rebuild`"):
        plan(SERVERS, FIRST, None, None)
    with pytest.raises(PromotionError, match="no data of Postgres yet: run `make up`"):
        plan(SERVERS, None, None, None)


def test_a_stack_of_one_server_has_nothing_to_promote() -> None:
    with pytest.raises(RequestError, match="`make up PROFILE=cluster`") as caught:
        plan([FIRST], FIRST, None, None)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (WELL, ""),
        (LOST, ""),
        (replace(LOST, slot=None, needs_slot=False), ""),
        (replace(WELL, standby=None), "there is no standby"),
        (replace(LOST, standby_answers=False), "postgres-2, the standby, does not answer"),
        (replace(LOST, behind_since="noon"), "may lack what was committed since noon"),
        (replace(LOST, slot=None), "slot on postgres-2 is not there yet"),
        (replace(LOST, slot=replace(SLOT, temporary=True)), "is not copied yet"),
        (replace(WELL, slot=replace(SLOT, synced=False)), "is not that of the primary"),
    ],
)
def test_a_standby_may_take_over_when_nothing_would_be_lost(
    found: PostgresReport, why: str
) -> None:
    assert why in unpromotable(found)
    assert bool(unpromotable(found)) is bool(why)


@pytest.mark.parametrize(
    ("found", "what", "remedy"),
    [
        (LOST, "postgres, the primary, does not answer", "postgres promote` if it is lost"),
        (replace(WELL, primary=None), "begun and not finished", "postgres promote`"),
        (replace(WELL, primary=None, standby=None), "no data of Postgres yet", "run `make up`"),
        (replace(WELL, standby=None), "there is no standby", "postgres rebuild`"),
        (replace(WELL, standby=None, fenced=SECOND), "no standby", "postgres promote`, which goes"),
        (replace(WELL, standby_answers=False), "does not answer", "postgres rebuild` if it is"),
        (
            replace(WELL, replication=replace(FOLLOWING, is_streaming=False)),
            "every commit and the connector wait for it",
            "give it a minute",
        ),
        (
            replace(WELL, replication=replace(FOLLOWING, is_waited_for=False)),
            "commits do not wait for postgres-2",
            "give it a minute",
        ),
    ],
)
def test_the_doctor_says_why_a_standby_could_not_take_over(
    found: PostgresReport, what: str, remedy: str
) -> None:
    with pytest.raises(Trouble, match=what) as caught:
        told(replace(found, troubles=troubles(found)))
    assert remedy in caught.value.remedy


def test_the_doctor_is_content_with_a_standby_that_could_take_over() -> None:
    assert not troubles(WELL)
    assert "could take over from postgres" in told(WELL)
