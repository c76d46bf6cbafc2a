"""Captures with several connectors: what follows from the settings, what is refused, and the mark that tells."""

from pathlib import Path

import pytest

from cdc.connector import render
from cdc.recovery import Recovered
from cdc.shards import Keys
from infra.capture import connector_settings
from infra.deployment import DeploymentError
from infra.drift.delivery import silent
from infra.drift.publication import plain
from infra.operations import connector as operations
from infra.retention_access import looked_after
from infra.settings import SettingsError, load_settings
from infra.sharding.marks import Dealt
from tests.unit.infra.test_captures import house


def test_the_first_is_called_as_where_there_are_no_others() -> None:
    [alone] = load_settings().deployment().shards
    deployment = load_settings(databases="payments=ledger", shards="main=2, ledger=3").deployment()
    first, second, *ledger = deployment.shards
    for name in ("name", "publication", "slot", "connector", "prefix"):
        assert getattr(first, name) == getattr(alone, name)
    assert (second.name, second.publication) == ("main_2", "tailrace_outbox_2")
    assert (second.slot, second.connector) == ("tailrace_outbox_2", "tailrace-outbox-2")
    assert [each.name for each in ledger] == ["ledger", "ledger_2", "ledger_3"]
    assert ledger[2].slot == "tailrace_outbox_ledger_3"
    assert ledger[2].publication == "tailrace_outbox_3", "it is one of its database"
    assert [each.keys for each in ledger] == [Keys(0, 3), Keys(1, 3), Keys(2, 3)]
    assert deployment.find_shard("main_2") == second
    assert [each.label("created") for each in (first, second)] == ["created", "created@main_2"]


def test_connectors_are_told_apart_by_all_that_they_leave_behind() -> None:
    deployment = load_settings(databases="payments=ledger", shards="main=2,ledger=2").deployment()
    configs = [render(connector_settings(deployment, each)) for each in deployment.shards]
    for key in ("name", "slot.name", "topic.prefix"):
        assert len({config[key] for config in configs}) == 4
    assert [config["publication.name"] for config in configs] == 2 * [
        "tailrace_outbox",
        "tailrace_outbox_2",
    ]


def test_retention_waits_for_all_slots_of_a_database() -> None:
    told = looked_after(load_settings(shards="main=2").deployment(), "cdc")
    assert told.split()[0] == "slot:tailrace_outbox,tailrace_outbox_2"


@pytest.mark.parametrize(
    ("shards", "words"),
    [
        ("2", "must say how many shards a capture has"),
        ("main", "must say how many shards a capture has"),
        ("main=0", "from 1 to 8"),
        ("main=9", "from 1 to 8"),
        ("main=two", "from 1 to 8"),
        ("main=2,main=2", "once for each"),
        ("ledger=2", "must name captures, and 'ledger' is none: there are main"),
    ],
)
def test_what_cannot_be_is_told(shards: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=words):
        load_settings(shards=shards)
    with pytest.raises(DeploymentError, match=f"shards in .* {words}|{words}"):
        house(tmp_path, TAILRACE_SHARDS=shards)


def test_names_that_would_clash_are_refused() -> None:
    databases = "payments=ledger,shipping=ledger_2"
    with pytest.raises(SettingsError, match="would both be called tailrace_outbox_ledger_2"):
        load_settings(databases=databases, shards="ledger=2")


def test_a_relay_and_containers_have_none() -> None:
    with pytest.raises(SettingsError, match="a relay has shards of its own"):
        load_settings(shards="main=2", publisher="relay")
    with pytest.raises(SettingsError, match="the compose file has one connector"):
        load_settings(shards="main=2", stack="containers")


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (Dealt(2), "shards: 2"),
        (Dealt(2, 1, "0/1A2B3C4"), "shards: 2, were 1 until 0/1A2B3C4"),
        (Dealt(1, 3), "shards: 1, were 3"),
    ],
)
def test_a_mark_is_read_as_it_was_written(found: Dealt, text: str) -> None:
    assert str(found) == text
    assert Dealt.read(text) == found
    assert found.is_settled == (found.were is None)


def test_a_database_without_a_mark_has_one_connector() -> None:
    assert Dealt.read("") == Dealt(1)
    [capture] = load_settings(shards="main=2").deployment().captures
    assert Dealt(2, 1).before(capture).shard_count == 1


def test_a_row_filter_is_known_again_as_postgres_shows_it() -> None:
    shown = "(((hashtextextended(aggregate_id, (0)::bigint) & '9223372036854775807'::bigint) % (2)::bigint) = 1)"
    assert plain(shown) == plain(Keys(1, 2).row_filter)
    assert plain(shown) != plain(Keys(0, 2).row_filter)
    assert plain(None) == ""


@pytest.mark.parametrize(
    ("found", "named", "by"),
    [
        (Dealt(3), "main_2", ["main_2"]),
        (Dealt(2, were=3, until="0/1"), "main", ["main", "main_2"]),
    ],
)
def test_a_recovery_is_proved_by_the_shards_that_go_on_by_it(
    monkeypatch: pytest.MonkeyPatch, found: Dealt, named: str, by: list[str]
) -> None:
    for name in ("require_shards", "conclude", "apply_connector"):
        monkeypatch.setattr(operations, name, lambda *_: None)
    monkeypatch.setattr(operations, "dealt", lambda _: found)
    monkeypatch.setattr(operations, "recover", lambda *_, **_options: Recovered())
    deployment = load_settings(shards="main=3").deployment()
    shard = deployment.find_shard(named)
    _, shards = operations.recover_slot(deployment, shard, None, silent, lambda _: None)
    assert [each.name for each in shards] == by
