"""What the commands share: their common options, examples in their help, asking, and how wrong usage ends."""

import sys
from collections.abc import Callable
from inspect import getdoc
from typing import Any, TypeVar

import click

from consumers.replay.errors import ChoiceError
from infra.cli.values import CAPTURE, TEXT
from infra.deployment import MAIN
from infra.errors import RequestError
from infra.operations.actor import default_actor

Function = TypeVar("Function", bound=Callable[..., Any])


class Command(click.Command):
    """Shows a request that an operation refuses as wrong usage of the command."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ChoiceError as error:
            raise click.UsageError(f"{error}.", ctx) from error
        except RequestError as error:
            raise click.UsageError(str(error), ctx) from error


class Group(Command, click.Group):
    """A group of such commands."""

    command_class = Command


yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
capture_option = click.option(
    "--capture",
    default=MAIN,
    show_default=True,
    type=CAPTURE,
    help="Whose it is, where there are several, such as main_2.",
)
who_option = click.option(
    "--who",
    default=default_actor,
    type=TEXT,
    metavar="NAME",
    help="Who does it; by default $TAILRACE_ACTOR, or your user name.",
)


def examples(*lines: str) -> Callable[[Function], Function]:
    """Add command lines to a command's help; stands below the decorators of click."""

    def add(command: Function) -> Function:
        shown = "".join(f"\n  {line}" for line in lines)
        command.__doc__ = f"{getdoc(command)}\n\n\b\nExamples:{shown}"
        return command

    return add


def confirm(question: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} There is nobody to ask here: say --yes if you mean it.")
    if not ask(question):
        raise click.Abort


def ask(question: str, *, default: bool = False) -> bool:
    """Ask on standard error, as standard output is for results; click would have a part of the question there."""
    while True:
        click.echo(f"{question} [{'Y/n' if default else 'y/N'}]: ", nl=False, err=True)
        line = sys.stdin.readline()
        answer = line.strip().lower()
        if not line:
            raise click.Abort
        if answer in {"", "y", "yes", "n", "no"}:
            return answer.startswith("y") if answer else default
        click.echo("Error: invalid input", err=True)
