"""The command that is the gate: `tailrace schema check`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from infra.cli.common import Command, examples
from infra.cli.output import json_option, tell
from infra.cli.schema.baseline import (
    against_option,
    directory_option,
    findings_only,
    where,
)
from infra.cli.values import OUTPUT, whole
from infra.operations import contracts
from infra.operations.contracts import Comparison
from schemas.gate import report
from schemas.gate.sarif import as_sarif

if TYPE_CHECKING:
    from infra.data_check import TopicCheck

DEFAULT_RECORDS = 1000
SHOWN = 10  # undecodable records that are shown of one topic; `--json` has them all


@click.command(cls=Command)
@against_option
@click.option(
    "--data",
    "last",
    is_flag=False,
    flag_value=DEFAULT_RECORDS,
    type=whole(1, 1_000_000),
    metavar="[N]",
    help=f"Also read the last N records of each topic ({DEFAULT_RECORDS} unless told); needs the stack.",
)
@click.option(
    "--sagas",
    is_flag=True,
    help="Also refuse what sagas under way could not read or send any more; needs the database.",
)
@click.option(
    "--format",
    "style",
    type=click.Choice(("text", "github")),
    default="text",
    help="`github` prints annotations for a pull request.",
)
@click.option(
    "--sarif",
    "sarif_file",
    type=OUTPUT,
    help="Also write the findings to a file in SARIF 2.1.0, for code scanning.",
)
@directory_option
@json_option
@examples(
    "tailrace schema check",
    "tailrace schema check --against git:origin/main --format github",
    "tailrace schema check --against registry",
    "tailrace schema check --data 5000",
    "tailrace schema check --sagas",
    "tailrace schema check --sarif contracts.sarif",
)
@findings_only()
def check(
    *,
    against: str,
    last: int | None,
    sagas: bool,
    style: str,
    sarif_file: Path | None,
    directory: Path,
) -> int:
    """Compare the contracts of the working tree with older ones; refuse what would break somebody.

    Events are judged by the promise of each message in schemas/catalogue.toml, protos and OpenAPI documents by the
    rules of gRPC and REST. Against git, nothing needs to run. The registry has the events alone.

    Ends with 0 if nobody is broken, with 1 on findings, with 2 if there is nothing to compare with or nobody to ask.
    """
    found = contracts.check(
        where, Comparison(directory=directory, against=against), last, sagas=sagas
    )
    if sarif_file:
        content = json.dumps(as_sarif(found.report, found.prefix), indent=2)
        sarif_file.write_text(f"{content}\n", encoding="utf-8")
    as_lines = report.as_github if style == "github" else report.as_text
    lines = (*_records(found.topics, style), *as_lines(found.report))
    tell(report.as_json(found.report) | _data(found.topics, last), lines)
    return 0 if found.is_good else 1


def _data(checked: Sequence[TopicCheck], last: int | None) -> dict[str, Any]:
    if not last:
        return {}
    return {
        "data": [
            {
                "topic": topic.topic,
                "read": topic.read,
                "undecodable": [
                    {"partition": each.partition, "offset": each.offset, "reason": each.error}
                    for each in topic.undecodable
                ],
            }
            for topic in checked
        ]
    }


def _records(checked: Sequence[TopicCheck], style: str) -> Iterator[str]:
    for topic in checked:
        for each in topic.undecodable[:SHOWN]:
            line = f"{topic.topic}/{each.partition}/{each.offset}: {each.error}"
            yield report.error(line) if style == "github" else line
        more = len(topic.undecodable) - SHOWN
        if more > 0:
            yield f"{topic.topic}: and {more} more"
        good = topic.read - len(topic.undecodable)
        yield f"{topic.topic}: {good} of the last {topic.read} records read with the working tree's schemas"
