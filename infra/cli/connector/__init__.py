"""Commands about the Debezium connector that carries the outbox to Kafka."""

from collections.abc import Iterator, Mapping
from typing import Any

import click

from cdc.causes import redacted
from cdc.slot import Slot
from infra.cli.common import Group, capture_option
from infra.cli.connector import recover, reshard
from infra.cli.mended import data
from infra.cli.output import as_data, emit, json_option, tell
from infra.deployment.current import load_deployment
from infra.operations import connector as operations
from infra.text import MEGABYTE, sentence


@click.group(cls=Group)
def connector() -> None:
    """Apply, show, restart the connector; show its state; recover a lost slot; split it in several."""


connector.add_command(recover.command, "recover")
connector.add_command(reshard.command, "reshard")


@connector.command()
@json_option
def apply() -> None:
    """Bring the connector to its configuration and wait until it runs; nothing happens if it already does."""
    _tell_done(operations.apply(load_deployment()))


@connector.command()
@click.option(
    "--rendered", is_flag=True, help="What would be applied, instead of what Connect holds."
)
@capture_option
def show(*, rendered: bool, capture: str) -> int:
    """Print the configuration as JSON; it refers to secrets and holds none."""
    if rendered:
        emit(operations.configured(load_deployment(), capture))
        return 0
    config = operations.held(load_deployment(), capture)
    if config is None:
        click.echo(
            "Connect has no connector of that capture; `tailrace connector apply` makes it",
            err=True,
        )
        return 1
    emit(config)
    return 0


@connector.command()
@json_option
def restart() -> None:
    """Restart the connector and its task, and wait until they run."""
    _tell_done(operations.restart(load_deployment()))


@connector.command()
@json_option
def status() -> int:
    """Show the state of the connector, its task and its slot; of each, where there are several.

    Ends with 1 unless connector and task run, slot and publication are whole, and no row stands in the way.
    """
    found = operations.reports(load_deployment())
    main, *others = map(_as_json, found)
    tell(main | {"others": others}, lambda: list(map(_show, found)))
    return 0 if all(each.is_well for each in found) else 1


def _as_json(found: operations.ConnectorReport) -> dict[str, Any]:
    state: dict[str, Any] = as_data(found.state)
    return state | {
        "name": found.name,
        "capture": found.capture,
        "trace": found.state.trace and redacted(found.state.trace),
        "cause": found.state.cause,
        "running": found.state.is_running,
        "ailment": found.diagnosis.ailment,
        "obstacles": found.obstacles,
        "slot": found.slot,
        "differences": [data(each) for each in found.differences],
    }


def _show(found: operations.ConnectorReport) -> None:
    state, diagnosis = found.state, found.diagnosis
    where = f" on {state.worker}" if state.worker else ""
    click.echo(f"{found.name}: connector {state.connector}, task {state.task}{where}")
    for line in _slot_lines(found.slot):
        click.echo(line)
    if diagnosis.ailment:
        click.echo(f"{sentence(diagnosis.told)} `tailrace connector recover` mends it.", err=True)
    if state.cause:
        click.echo(f"{sentence(str(state.cause))} `--json` has the whole trace.", err=True)
    for each in found.obstacles:
        click.echo(f"It stands still: {each.told}; {each.remedy}.", err=True)
    for difference in found.differences:
        click.echo(sentence(f"{difference}; {difference.remedy}"), err=True)


def _tell_done(done: Mapping[str, str]) -> None:
    [name, *_] = done
    result = {"connector": name, "result": done[name]}
    others = [{"connector": other, "result": what} for other, what in done.items() if other != name]
    lines = [f"{each}: {what}, running" for each, what in done.items()]
    tell(result | {"others": others}, lines)


def _slot_lines(slot: Slot | None) -> Iterator[str]:
    if slot is None:
        yield "slot: none"
        return
    since = f" since {slot.inactive_since:%Y-%m-%d %H:%M:%S}" if slot.inactive_since else ""
    read = f"read by pid {slot.active_pid}" if slot.active else f"read by nobody{since}"
    reason = f", {slot.invalidation_reason}" if slot.invalidation_reason else ""
    yield f"slot {slot.name}: {slot.wal_status}{reason}, {read}"
    yield (
        f"  WAL held back {_megabytes(slot.retained_bytes)} from {slot.restart_lsn}, not confirmed "
        f"{_megabytes(slot.unconfirmed_bytes)} from {slot.confirmed_flush_lsn}"
    )
    if slot.limit_bytes is not None:
        yield (
            f"  given up at {_megabytes(slot.limit_bytes)} (max_slot_wal_keep_size), which is "
            f"{_megabytes(slot.safe_bytes)} away"
        )


def _megabytes(number: int | None) -> str:
    return "nothing" if number is None else f"{number / MEGABYTE:,.1f} MB"
