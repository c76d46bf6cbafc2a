"""What pages show of text from outside, how times are told, and that colours can be read."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from markupsafe import Markup

from infra.console.board import Reading
from infra.console.pages import STATIC, Pages, link, milliseconds, prose, rate, seconds

EVIL = "<script>alert(1)</script>\"' \x1b[31m\u202e\x00\n&amp;"
SHOWN = "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39; \\x1b[31m\\u202e\\x00\\n&amp;amp;"


@pytest.fixture
def pages() -> Pages:
    installation = SimpleNamespace(name=EVIL, mode="act", actor=EVIL)
    return Pages(installation, process="process")  # type: ignore[arg-type]


def test_whatever_a_template_is_given_is_escaped(pages: Pages) -> None:
    page = pages.render("trouble.html", heading=EVIL, sentence=EVIL)
    assert "<script>alert" not in page
    assert not set(page) & set("\x1b\u202e\x00")
    assert page.count(SHOWN) == 4  # title, heading, sentence and name


def test_a_payload_is_shown_line_by_line(pages: Pages) -> None:
    value = {"payload": {"note": EVIL, "list": [1, None]}}
    page = pages.render("part-json.html", value=value)
    assert "<script>" not in page
    assert not set(page) & set("\x1b\u202e\x00")
    assert page.count("\n") == 8


def test_the_slot_of_each_capture_is_shown_by_its_name(pages: Pages) -> None:
    slot = SimpleNamespace(
        active=True,
        retained_bytes=7,
        limit_bytes=2**30,
        unconfirmed_bytes=7,
        wal_status="reserved",
        invalidation_reason=None,
    )

    def shown(**slots: object) -> str:
        reading = Reading(slots, at=datetime.now(UTC))
        return pages.render("panel-slot.html", reading=reading, waiting=None)

    both = shown(tailrace_outbox=slot, tailrace_outbox_ledger=None)
    assert "<code>tailrace_outbox</code>" in both
    assert "<code>tailrace_outbox_ledger</code>" in both
    assert "by the connector" in both
    assert "There is none yet; the connector makes it." in both
    assert "<code>" not in shown(tailrace_outbox=slot)  # where there is but one


def test_commands_in_sentences_are_code_and_nothing_else_is_markup() -> None:
    told = prose("run `make up <x>`, not <b>this</b>\x1b")
    assert told == Markup("run <code>make up &lt;x&gt;</code>, not &lt;b&gt;this&lt;/b&gt;\\x1b")


def test_addresses_hold_what_they_are_given_whole() -> None:
    assert link("/flow", id="a&b=c/d ü", message=None) == "/flow?id=a%26b%3Dc%2Fd+%C3%BC"


def test_times_and_rates_are_told_in_the_unit_that_suits_them() -> None:
    assert [milliseconds(each) for each in (None, 0.0004, 0.25, 2.5, 3700.0)] == [
        "not known",
        "0 ms",
        "250 ms",
        "2.50 s",
        "1 h 01 min",
    ]
    assert [seconds(each) for each in (None, 0.0, 9.94, 75.0)] == [
        "not known",
        "0.0 s",
        "9.9 s",
        "1 min 15 s",
    ]
    assert [rate(each) for each in (None, 0.0, 0.04, 3.21, 1234.5)] == [
        "",
        "0/s",
        "0.0/s",
        "3.2/s",
        "1,234/s",
    ]


COLOUR = re.compile(r"--([\w-]+): #([0-9a-f]{6});")
PAIRS = [
    *((colour, ground) for colour in ("text", "quiet", "accent") for ground in ("page", "card")),
    *((colour, ground) for colour in ("late", "bad") for ground in ("page", "card")),
    ("well", "tint-well"),
    ("bad", "tint-bad"),
    ("late", "tint-late"),
    ("text", "tint-bad"),
    ("quiet", "tint-bad"),
    ("text", "tint-late"),
    ("text", "tint-well"),
    ("on-accent", "accent"),
]
READABLE = 4.5
"""Contrast that WCAG 2 asks of text, at its level AA."""


def schemes() -> Iterator[tuple[str, dict[str, str]]]:
    style = Path(STATIC, "console.css").read_text()
    light, dark, *_ = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    yield "light", dict(COLOUR.findall(light))
    yield "dark", dict(COLOUR.findall(dark))


@pytest.mark.parametrize(("name", "colours"), [*schemes()], ids=["light", "dark"])
def test_text_can_be_read_on_its_ground(name: str, colours: dict[str, str]) -> None:
    faint = {
        pair: contrast
        for pair in PAIRS
        if (contrast := contrast_of(*(colours[each] for each in pair))) < READABLE
    }
    assert faint == {}


def contrast_of(one: str, other: str) -> float:
    darker, lighter = sorted(map(luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4))
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_scripts_are_small() -> None:
    assert sum(path.stat().st_size for path in STATIC.glob("*.js")) < 150_000
