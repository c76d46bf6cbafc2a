"""Consumers that share a process: what it is told, whose part is whose, and whose line is whose."""

from pathlib import Path
from socket import create_server

import pytest

from cdc.service import load
from consumers.payments.bootstrap import Settings as PaymentsSettings
from infra.local import preflight
from infra.local.logs import lines_of
from infra.local.parts import PARTS, SHARED, shared_workers
from infra.local.program import Program
from infra.local.programs import program_of, remember
from infra.services import WORKERS
from infra.settings import Settings
from tests.stack import own_settings

NAMES = [worker.name for worker in WORKERS]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return own_settings(tmp_path / "home", workers="shared")


@pytest.fixture
def shared(settings: Settings) -> Program:
    return shared_workers(settings)


def test_each_consumer_is_told_its_own(
    settings: Settings, shared: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in shared.env.items():
        monkeypatch.setenv(name, value)
    told = load(PaymentsSettings, "payments-worker")
    assert told.database_url == settings.database_url("payments")
    assert told.port == settings.port_of("payments-worker")
    assert told.schema_cache == settings.schema_cache
    assert set(shared.argv[3:]) == {worker.package.rpartition(".")[2] for worker in WORKERS}


def test_a_part_is_run_by_the_program_that_there_is() -> None:
    parts = {part.name: part for part in PARTS}
    assert parts["payments-worker"].program_in({SHARED, "orders"}) == SHARED
    assert parts["payments-worker"].program_in({"payments-worker"}) == "payments-worker"
    assert parts["payments-worker"].program_in(()) == "payments-worker"
    assert parts["orders"].program_in({SHARED}) == "orders"


def test_whose_log_is_where_follows_from_how_the_stack_was_brought_up(
    settings: Settings, shared: Program
) -> None:
    assert program_of("payments-worker", settings) == "payments-worker"
    (settings.home / "supervisor").mkdir(parents=True)
    remember(settings.home, [shared])
    assert program_of("payments-worker", settings) == SHARED
    assert program_of("supervisord", settings) == "supervisord"


def test_ports_of_consumers_are_those_of_the_process_that_runs(settings: Settings) -> None:
    with create_server(("127.0.0.1", settings.port_of("payments-worker"))):
        preflight.check_ports(settings, running={SHARED})
        preflight.check_ports(settings, running={"payments-worker"})
        with pytest.raises(preflight.PreflightError, match="wanted by payments-worker"):
            preflight.check_ports(settings, running={"orders"})


def test_a_traceback_belongs_to_the_line_before_it() -> None:
    lines = [
        "Traceback of nobody",
        "time=1 level=info service=payments-worker event=one",
        "time=2 level=error service=orders-worker event=two",
        "ValueError: service=payments-worker ",
        "time=3 level=error service=payments-worker event=three",
        "ValueError: four",
    ]
    concerns = lines_of("payments-worker")
    assert [number for number, line in enumerate(lines) if concerns(line)] == [1, 4, 5]
