"""The commands that start and stop: up, down, reset, restart."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import click
from rich.console import Console

from infra.cli.common import Command, confirm, yes_option
from infra.cli.output import as_data, console, emit, json_option, tell, wants_json
from infra.cli.progress import TerminalReport, terminal_report
from infra.cli.status import status_of
from infra.deployment.current import own_stack
from infra.local import down as stopping
from infra.local import up as starting
from infra.local.parts import PART_NAMES
from infra.local.status import PartStatus
from infra.local.up import UpResult
from infra.settings import Settings
from infra.tables import table

if TYPE_CHECKING:
    from infra.local.restart import Restarted

FIRST_ORDER = (
    '{"customer_id": "ada", "currency": "EUR", '
    '"lines": [{"sku": "tea", "quantity": 2, "unit_price": "4.50"}]}'
)


@click.command(cls=Command)
@json_option
def up() -> None:
    """Start the whole stack.

    Run again, it repairs what is missing and changes nothing else. If a step fails, whatever this
    call has started is stopped again.
    """
    settings = own_stack()
    out = console(stderr=wants_json())
    with terminal_report(out) as report:
        result = _bring_up(settings, report)
    parts = status_of(settings, memory=wants_json())
    if wants_json():
        emit(as_data(result) | {"parts": parts})
        return
    _print_parts(out, settings, parts)
    out.print(f"\nReady after {result.total_s:.1f} s. {_next_commands(settings)}", soft_wrap=True)
    if result.training:
        out.print(
            "\nJava's start-up cache is being made in the background; the next start will be faster."
        )


@click.command(cls=Command)
@click.argument("part", type=click.Choice(PART_NAMES), required=False)
@click.option("--kill", is_flag=True, help="Kill the part, as the loss of its machine would.")
@json_option
def down(*, part: str | None, kill: bool) -> None:
    """Stop everything that runs, or one part; the data stay.

    A part stays down until `tailrace up`, and is not started again by itself.
    """
    if part is not None:
        _take_down(part, kill=kill)
        return
    if kill:
        raise click.UsageError("say which part is to be killed: tailrace down PART --kill")
    settings = own_stack()
    result = _stopping(settings).down(settings)
    count = len(result.stopped)
    lines = [f"Stopped {count} parts; the data stay." if count else "Nothing was running."]
    if result.leftovers:
        lines.append(f"Ended {result.leftovers} processes that nobody supervised.")
    tell(result, lines)


def _take_down(part: str, *, kill: bool) -> None:
    settings = own_stack()
    taken = _stopping(settings).take_down(settings, part, kill=kill)
    done = f"is {'killed' if kill else 'stopped'}{_with_others(part, taken.together)}"
    tell(taken, [f"{part} {done}; `tailrace up` starts it again."])


@click.command(cls=Command)
@yes_option
@json_option
def reset(*, yes: bool) -> None:
    """Stop everything and delete all data, after asking."""
    settings = own_stack()
    confirm(f"Delete all data in {settings.home}?", yes=yes)
    _stopping(settings).reset(settings)
    tell({"deleted": settings.home}, [f"{settings.home} is gone."])


@click.command(cls=Command)
@click.argument("part", type=click.Choice(PART_NAMES))
@json_option
def restart(*, part: str) -> None:
    """Restart one part and wait until it is ready; a worker is ready when it consumes."""
    restarted = _restart(own_stack(), part)
    also = _with_others(part, restarted.together)
    tell(restarted, [f"{part} is ready after {restarted.seconds:.1f} s{also}."])


def _bring_up(settings: Settings, report: TerminalReport) -> UpResult:
    if settings.in_containers:
        from infra.compose import stack

        return stack.up(settings, report)
    return starting.up(settings, report)


def _stopping(settings: Settings) -> ModuleType:
    """Return what stops a stack of this kind."""
    if settings.in_containers:
        from infra.compose import stack

        return stack
    return stopping


def _restart(settings: Settings, part: str) -> "Restarted":
    if settings.in_containers:
        from infra.compose import stack

        return stack.restart(settings, part)
    from infra.local.restart import restart as restart_part  # spares the others a second of imports

    return restart_part(settings, part)


def _with_others(part: str, together: Sequence[str]) -> str:
    others = [name for name in together if name != part]
    return f", and so are {', '.join(others)}, which run in the same process" if others else ""


def _print_parts(out: Console, settings: Settings, parts: Sequence[PartStatus]) -> None:
    rows = ((part.name, part.url or "nowhere, it works by itself") for part in parts)
    out.print()
    out.print(table(("part", "where"), rows, wrap=("where",)))
    kept = "Passwords" if settings.in_containers else "Logs and data"
    out.print(f"\n{kept}: {settings.home}", soft_wrap=True)


def _next_commands(settings: Settings) -> str:
    named = " STACK=containers" if settings.in_containers else ""
    told = "TAILRACE_STACK=containers " if settings.in_containers else ""
    return f"""Try next:

  curl -s {settings.url_of("storefront")}/v1/orders -d '{FIRST_ORDER}'
  {told}{_own_command()} topics tail order.events
  make demo{named}
  make status{named}
  make down{named}"""


def _own_command() -> str:
    """How this command is typed here: the virtual environment need not be activated."""
    if shutil.which("tailrace"):
        return "tailrace"
    script = Path(sys.executable).with_name("tailrace")
    return str(script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script)
