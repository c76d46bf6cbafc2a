"""The command that checks everything."""

from collections.abc import Sequence

import click
from rich.text import Text

from infra.cli.common import Command
from infra.cli.output import console, json_option, tell
from infra.deployment.current import is_local, load_deployment, local_stack
from infra.operations.doctor.check import Finding

COLOURS = {"ok": "green", "wrong": "red", "unknown": "yellow"}


@click.command(cls=Command)
@json_option
def doctor() -> int:
    """Check everything; say what is wrong and how to mend it.

    Of another deployment than the local stack: whether its servers and services answer, and everything that can be
    asked of them. Ends with 0 if all is well, with 1 otherwise.
    """
    findings = _diagnose()
    tell(findings, lambda: _show(findings))
    return 0 if all(finding.state == "ok" for finding in findings) else 1


def _show(findings: Sequence[Finding]) -> None:
    out = console()
    for finding in findings:
        sign = Text(f"{finding.state.upper():<7}", COLOURS[finding.state])
        out.print(sign, _line(finding), soft_wrap=True)


def _line(finding: Finding) -> str:
    remedy = f"; {finding.remedy}" if finding.remedy else ""
    return f" {finding.name:<20} {finding.detail}{remedy}"


def _diagnose() -> Sequence[Finding]:
    if is_local():
        from infra.local.doctor import diagnose as diagnose_stack

        return diagnose_stack(local_stack())
    from infra.operations.doctor import diagnose

    return diagnose(load_deployment())
