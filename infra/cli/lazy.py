"""A command group whose subcommands are imported only when they are called, so that `--help` is fast."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from cdc.text import did_you_mean
from infra.cli.common import Group


class LazyGroup(Group):
    """Lists its subcommands from a table and imports one only to run it."""

    def __init__(self, *args: Any, commands: Mapping[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(*args, **options)
        self._table = commands

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._table:
            return None
        module, _, attribute = self._table[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is called, or say which ones resemble it."""
        if args[0] not in self._table and (near := did_you_mean(args[0], self._table)):
            ctx.fail(f"No such command {args[0]!r}{near}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list for `--help` without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self._table.items()])
