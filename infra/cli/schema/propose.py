"""The command that judges a change before it is made: `tailrace schema propose`."""

from __future__ import annotations

from pathlib import Path

import click

from infra.cli.common import Command, examples
from infra.cli.output import json_option, tell
from infra.cli.schema.baseline import Against, directory_option, findings_only, where
from infra.cli.schema.diff import lines_of, lines_of_impact
from infra.cli.values import SUBJECT, Existing, content
from infra.operations import proposal
from infra.operations.contracts import REGISTRY
from infra.operations.proposal import Proposal


@click.command(cls=Command)
@click.argument("subject", type=SUBJECT)
@click.option(
    "--file",
    "path",
    required=True,
    type=Existing(allow_dash=True, dir_okay=False),
    help="The schema that it is to have; - reads it from standard input.",
)
@click.option(
    "--against",
    type=Against(),
    metavar=Against.name,
    default=REGISTRY,
    show_default=True,
    help="What to compare with.",
)
@directory_option
@json_option
@examples(
    "tailrace schema propose orders.OrderCreated --file new.avsc",
    "tailrace schema propose orders.OrderCreated --file - --against git:main",
)
@findings_only()
def propose(
    *,
    subject: str,
    path: Path,
    against: str,
    directory: Path,
) -> int:
    """Say what a new schema of SUBJECT would change, for whom, and whether the gate lets it pass; nothing is published.

    Ends with 0 if nobody is broken, with 1 on findings.
    """
    text = content(path).decode("utf-8", "surrogateescape")
    asked = Proposal(subject=subject, text=text, directory=directory, against=against)
    judged = proposal.propose(where, asked)
    lines = [line for each in judged.changes for line in lines_of(each)]
    lines += [line for each in judged.impacts for line in lines_of_impact(each)]
    verdict = "it may be made" if judged.is_good else "the gate refuses it"
    tell(judged, [*lines, *map(str, judged.findings), f"Against {judged.against}: {verdict}."])
    return 0 if judged.is_good else 1
