"""What the overview shows, as panels."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from infra.console.board import Panel, Reading
from infra.console.overview.picture import picture
from infra.console.pages import Pages
from infra.operations.doctor import Finding

SOURCES = ("parts", "pipeline", "waiting", "slot")
ASKED = {
    "parts": "the parts",
    "pipeline": "the consumers",
    "waiting": "the outboxes",
    "slot": "the slot",
}


def panels(pages: Pages) -> tuple[Panel, ...]:
    def wrong(readings: Mapping[str, Reading]) -> str:
        return pages.render(
            "panel-wrong.html",
            found=_together(_wrong(readings)),
            waits=any(each.at is None for each in readings.values()),
        )

    def health(readings: Mapping[str, Reading]) -> str:
        return pages.render(
            "panel-health.html",
            number=len(list(_wrong(readings))),
            waits=any(each.at is None for each in readings.values()),
        )

    def drawn(readings: Mapping[str, Reading]) -> str:
        parts = readings["parts"].value
        found = picture(
            parts and parts.states, readings["pipeline"].value, readings["waiting"].value
        )
        waiting = readings["waiting"].value
        notes = [_untold(name, each) for name, each in readings.items() if each.trouble]
        if waiting is not None and waiting.outboxes is None:
            notes.append(f"What waits in the outboxes cannot be told: {waiting.because}.")
        return pages.render("panel-picture.html", picture=found, notes=notes)

    def parts(readings: Mapping[str, Reading]) -> str:
        return pages.render("panel-parts.html", reading=readings["parts"])

    def slot(readings: Mapping[str, Reading]) -> str:
        return pages.render(
            "panel-slot.html", reading=readings["slot"], waiting=readings["waiting"].value
        )

    return (
        Panel(name="health", sources=SOURCES, render=health),
        Panel(name="wrong", sources=SOURCES, render=wrong),
        Panel(name="picture", sources=("parts", "pipeline", "waiting"), render=drawn),
        Panel(name="parts", sources=("parts",), render=parts),
        Panel(name="slot", sources=("slot", "waiting"), render=slot),
    )


def _wrong(readings: Mapping[str, Reading]) -> Iterator[Finding]:
    """Yield what is wrong: parts, and what does not follow from their trouble."""
    found = [
        each
        for name in ("parts", "pipeline")
        if (value := readings[name].value) is not None
        for each in value.findings
        if each.state == "wrong"
    ]
    yield from found
    for name, reading in readings.items():
        if reading.trouble and not found:
            yield Finding(ASKED[name], "wrong", reading.trouble.rstrip("."))


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with some things alike."""

    names: list[str]
    detail: str
    remedy: str | None


def _together(findings: Iterable[Finding]) -> list[Wrong]:
    """Put what is wrong in the same words into one line, so that what differs is seen."""
    found: dict[tuple[str, str | None], Wrong] = {}
    for each in findings:
        alike = Wrong([], each.detail, each.remedy)
        found.setdefault((each.detail, each.remedy), alike).names.append(each.name)
    return list(found.values())


def _untold(name: str, reading: Reading) -> str:
    return f"Of {ASKED[name]} nothing can be told. {reading.trouble}"
