"""The commands about who may sign in to a console: `console add-user` and `console remove-user`."""

import sys
from pathlib import Path

import click

from infra.cli.common import Command, examples
from infra.cli.values import OUTPUT, TEXT
from infra.console import users
from infra.console.installation import Mode

file_option = click.option(
    "--users",
    "path",
    required=True,
    type=OUTPUT,
    help="The file of those who may sign in.",
)


@click.command(cls=Command)
@click.argument("name", type=TEXT)
@click.option(
    "--role",
    type=click.Choice(("look", "act")),
    required=True,
    help="Whether they may only look, or act as well.",
)
@file_option
@examples("tailrace console add-user ada --role act --users users.toml")
def add_user(*, name: str, role: Mode, path: Path) -> None:
    """Let NAME sign in, or give them another role and password; the password is asked for, or read from standard input.

    The file holds a hash of it, and is made for you alone to read. A console that runs takes it at once,
    and ends their sessions.
    """
    users.add(path, name, role, _password())
    click.echo(f"{name} may sign in to {'act' if role == 'act' else 'look'}.")


@click.command(cls=Command)
@click.argument("name", type=TEXT)
@file_option
@examples("tailrace console remove-user ada --users users.toml")
def remove_user(*, name: str, path: Path) -> None:
    """Let NAME sign in no more; their sessions end at once."""
    users.remove(path, name)
    click.echo(f"{name} may sign in no more.")


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return password
