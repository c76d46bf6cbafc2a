"""The connector's configuration: what the failures of others taught must be in it."""

import pytest

from cdc.connector import ConnectorSettings, render
from cdc.connector.config import profiles

REFERENCE = "${directory:/secrets:tailrace_capture.password}"


def settings(profile: str = "default", password: str = REFERENCE) -> ConnectorSettings:
    return ConnectorSettings(
        host="127.0.0.1",
        port=15432,
        database="tailrace",
        user="tailrace_capture",
        password=password,
        publication="tailrace_outbox",
        profile=profile,
    )


@pytest.mark.parametrize("profile", profiles())
def test_every_profile_renders_to_strings_with_no_place_left_open(profile: str) -> None:
    config = render(settings(profile))
    assert all(isinstance(value, str) for value in config.values())
    left = {value for value in config.values() if "${" in value}
    assert left == {REFERENCE, "${routedByValue}"}


def test_the_slot_is_safe_by_default() -> None:
    config = render(settings())
    assert config["slot.failover"] == "true"
    assert config["publication.autocreate.mode"] == "disabled"
    assert config["snapshot.mode"] == "no_data"
    assert config["offset.mismatch.strategy"] == "trust_offset"
    assert "pg_logical_emit_message" in config["heartbeat.action.query"]
    assert config["transforms.outbox.table.op.invalid.behavior"] == "fatal"


def test_heartbeats_and_byte_payloads_can_share_the_connector() -> None:
    config = render(settings())
    assert config["value.converter.delegate.converter.type"]
    assert config["transforms.outbox.predicate"] == "isOutbox"


def test_a_password_in_clear_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValueError, match="config provider") as caught:
        settings(password="hunter2")
    assert "hunter2" not in str(caught.value)


def test_an_unknown_profile_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="low-latency"):
        settings(profile="warp")
