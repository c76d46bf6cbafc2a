"""Settings of a service, alone in its process and as one of several."""

import sys
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings, SettingsConfigDict

from cdc import service
from cdc.service import WRONG_USAGE, StartError, load, start


class Settings(BaseSettings):
    """Settings such as services have."""

    model_config = SettingsConfigDict(env_prefix="TAILRACE_", extra="ignore")

    database_url: str
    port: int = 0
    topics: tuple[str, ...] = ()


@pytest.fixture(autouse=True)
def _told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "TAILRACE_DATABASE_URL": "of all",
        "TAILRACE_METER_WORKER_DATABASE_URL": "of the meter",
        "TAILRACE_METER_WORKER_TOPICS": '["meter.events"]',
        "TAILRACE_PORT": "7",
    }.items():
        monkeypatch.setenv(name, value)


def test_what_a_service_is_told_alone_wins_over_what_all_are_told() -> None:
    assert load(Settings) == Settings(database_url="of all", port=7)
    assert load(Settings, "order-worker") == load(Settings)
    meter = Settings(database_url="of the meter", port=7, topics=("meter.events",))
    assert load(Settings, "meter-worker") == meter


def test_a_mistake_is_told_with_the_variable_that_holds_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TAILRACE_METER_WORKER_PORT", "secret")
    with pytest.raises(SystemExit) as ended:
        load(Settings, "meter-worker")
    assert ended.value.code == WRONG_USAGE
    said = capsys.readouterr().err
    assert "TAILRACE_METER_WORKER_PORT cannot be used" in said
    assert "secret" not in said


@pytest.mark.parametrize("variable", ["TAILRACE_TOPICS", "TAILRACE_METER_WORKER_TOPICS"])
def test_a_list_that_is_no_json_is_told_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str
) -> None:
    monkeypatch.delenv("TAILRACE_METER_WORKER_TOPICS")
    monkeypatch.setenv(variable, "meter.events,tariff.events")
    with pytest.raises(SystemExit) as ended:
        load(Settings, "meter-worker")
    assert ended.value.code == WRONG_USAGE
    assert capsys.readouterr().err.startswith(f"{variable} cannot be used: it must be JSON")


def test_who_cannot_start_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse() -> None:
        raise StartError("the moon is full.")

    for name, said in (("meter-worker", "meter-worker cannot start: "), ("", "cannot start: ")):
        with pytest.raises(SystemExit):
            start(refuse, name)
        assert capsys.readouterr().err == f"{said}the moon is full.\n"


@pytest.mark.parametrize("names", [[], ["payments", "payments"], ["payments", "nobody"]])
def test_names_of_no_use(names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["consumers.runtime", *names])
    with pytest.raises(SystemExit) as ended:
        service.bootstraps_named("consumers")
    assert ended.value.code == WRONG_USAGE


def test_several_are_found_by_their_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["consumers.runtime", "payments", "analytics"])
    found = service.bootstraps_named("consumers")
    assert [service.name_of(each) for each in found] == ["payments-worker", "analytics-worker"]
    assert all(Path(str(each.__file__)).name == "bootstrap.py" for each in found)
