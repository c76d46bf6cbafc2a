"""The commands `tailrace schema`: the group; the commands stand beside this module."""

import click

from infra.cli.lazy import LazyGroup

# name -> where the command lives, and its line in `tailrace schema --help`
COMMANDS = {
    "list": (
        "infra.cli.schema.contracts:list_messages",
        "Show every message, and whether it changed.",
    ),
    "show": ("infra.cli.schema.contracts:show", "Print the schema of one message."),
    "check": ("infra.cli.schema.check:check", "Refuse changes that would break somebody."),
    "diff": ("infra.cli.schema.diff:show_diff", "Show what changed, field by field."),
    "impact": ("infra.cli.schema.diff:show_impact", "Show who reads what changed."),
    "propose": (
        "infra.cli.schema.propose:propose",
        "Judge a change that stands nowhere yet.",
    ),
    "golden": ("infra.cli.schema.golden:golden", "Keep bytes of a new version for good."),
    "publish": ("infra.cli.schema.registry:publish", "Register what changed in the registry."),
    "restore": ("infra.cli.schema.restore:restore", "Put lost ids back into the registry."),
    "history": ("infra.cli.schema.registry:history", "Show who published what, and when."),
}


@click.group(cls=LazyGroup, commands=COMMANDS)
def schema() -> None:
    """Change contracts without breaking anybody: events, protos and OpenAPI documents.

    On the way of a change: `diff` shows what it is, `impact` who reads it, `check` whether it may be merged, with
    nothing running, and `publish` registers it.
    """
