"""What a check is, and running a list of them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from infra.errors import explain
from infra.settings import Settings


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
    """One thing to look at.

    Args:
        name: as shown; a check may be named in `needs` of others.
        run: returns a few words when all is well, raises `Trouble` when not.
        needs: names of earlier checks without which this one cannot tell anything.
    """

    name: str
    run: Callable[[Settings], str]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; "unknown" if something it needs is itself in trouble."""

    name: str
    state: Literal["ok", "wrong", "unknown"]
    detail: str
    remedy: str | None = None


def examine(checks: Iterable[Check], settings: Settings) -> list[Finding]:
    """Run the checks in order."""
    findings: dict[str, Finding] = {}
    for check in checks:
        broken = [need for need in check.needs if findings[need].state != "ok"]
        if broken:
            detail = f"not checked, because {' and '.join(broken)} must be mended first"
            findings[check.name] = Finding(check.name, "unknown", detail)
        else:
            findings[check.name] = _examine(check, settings)
    return list(findings.values())


def _examine(check: Check, settings: Settings) -> Finding:
    try:
        return Finding(check.name, "ok", check.run(settings))
    except Trouble as trouble:
        return Finding(check.name, "wrong", trouble.what, trouble.remedy)
    except Exception as error:
        sentence = explain(error)
        if sentence is None:
            raise
        return Finding(
            check.name,
            "wrong",
            sentence.rstrip("."),
            "run `make up`, which repairs what is missing",
        )
