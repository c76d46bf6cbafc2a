"""Finds enum symbols that were removed where a default hides it: old events then read as something they never said.

By Avro's rules a reader takes its default for a symbol that it does not know. That is what lets an enum grow; when one
shrinks, it falsifies what was written.
"""

from collections.abc import Sequence

from schemas.gate.avro.model import Place, Type
from schemas.gate.avro.resolution import hidden_symbols
from schemas.gate.finding import Finding
from schemas.gate.modes import Version


def forgotten(subject: str, new: Type, olds: Sequence[Version]) -> list[Finding]:
    """Return a finding for every enum that lost symbols and reads them as its default; each once."""
    lost: dict[Place, dict[str, None]] = {}
    defaults: dict[Place, str] = {}
    for old in olds:
        for found in hidden_symbols(new, old.schema):
            lost.setdefault(found.place, {}).update(dict.fromkeys(found.writer.split(", ")))
            defaults[found.place] = found.reader
    return [_finding(subject, place, defaults[place], lost[place]) for place in lost]


def _finding(subject: str, place: Place, default: str, symbols: dict[str, None]) -> Finding:
    return Finding(
        subject=subject,
        path=str(place),
        rule="enum-symbol-removed",
        problem=f"symbols removed: {', '.join(symbols)}; a consumer that reads old events takes them for "
        f"{default}, and no error tells",
        fix="Put them back, and say in the doc that they are no longer written",
    )
