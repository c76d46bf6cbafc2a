"""What a check is, and running a list of them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from cdc import causes
from infra.errors import explain


class Trouble(Exception):  # noqa: N818 - a finding, not a failure of the doctor
    """What a check raises when something is wrong.

    Args:
        what: what is wrong, as the rest of a line.
        remedy: what to do about it.
    """

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at."""

    name: str  # as shown; a check may be named in `needs` of others
    run: Callable[[], str]  # returns a few words when all is well, raises `Trouble` when not
    # names of earlier checks without which this one cannot tell anything
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; "unknown" if something it needs is itself in trouble."""

    name: str
    state: Literal["ok", "wrong", "unknown"]
    detail: str
    remedy: str | None = None


def examine(checks: Iterable[Check], remedy: str) -> list[Finding]:
    """Run the checks in order; `remedy` is what to do when one cannot be made."""
    findings: dict[str, Finding] = {}
    for check in checks:
        broken = [need for need in check.needs if need in findings and findings[need].state != "ok"]
        if broken:
            detail = f"not checked, because {' and '.join(broken)} must be mended first"
            findings[check.name] = Finding(check.name, "unknown", detail)
        else:
            findings[check.name] = _examine(check, remedy)
    return list(findings.values())


def _examine(check: Check, remedy: str) -> Finding:
    try:
        return Finding(check.name, "ok", check.run())
    except Trouble as trouble:
        return Finding(check.name, "wrong", trouble.what, trouble.remedy)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        if sentence := explain(error):
            return Finding(check.name, "wrong", sentence.rstrip("."), remedy)
        # what one check trips over must not hide what the others find
        detail = f"cannot be checked: {causes.of_error(error).text}"
        return Finding(check.name, "wrong", detail, "the fault is the check's own: report it")
