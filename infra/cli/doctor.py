"""The command that checks everything."""

import click
from rich.text import Text

from infra.cli.output import console, emit, json_option
from infra.local.doctor import Finding, diagnose
from infra.settings import load_settings

COLOURS = {"ok": "green", "wrong": "red", "unknown": "yellow"}


@click.command()
@json_option
@click.pass_context
def doctor(context: click.Context, *, as_json: bool) -> None:
    """Check everything; say what is wrong and how to mend it.

    Ends with 0 if all is well, with 1 otherwise.
    """
    findings = diagnose(load_settings())
    if as_json:
        emit(findings)
    else:
        out = console()
        for finding in findings:
            sign = Text(f"{finding.state.upper():<7}", COLOURS[finding.state])
            out.print(sign, _line(finding), soft_wrap=True)
    context.exit(0 if all(finding.state == "ok" for finding in findings) else 1)


def _line(finding: Finding) -> str:
    remedy = f"; {finding.remedy}" if finding.remedy else ""
    return f" {finding.name:<20} {finding.detail}{remedy}"
