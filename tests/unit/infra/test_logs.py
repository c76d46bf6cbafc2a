"""The last lines of a log."""

from pathlib import Path

import pytest

from infra.local.supervision.client import tail


@pytest.mark.parametrize("wanted", [0, 1, 3, 50])
def test_as_many_lines_are_shown_as_are_asked_for_however_long_they_are(
    tmp_path: Path, wanted: int
) -> None:
    lines = [f"{number} {'x' * 5_000}" for number in range(20)]
    (tmp_path / "log").write_text("\n\n".join(lines) + "\n  \n")
    assert tail(tmp_path / "log", wanted) == lines[len(lines) - min(wanted, 20) :]


def test_what_is_no_text_is_shown_as_far_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"a\xff\nb\n")
    assert tail(tmp_path / "log", 5) == ["a\ufffd", "b"]
    assert tail(tmp_path / "none", 5) == []
