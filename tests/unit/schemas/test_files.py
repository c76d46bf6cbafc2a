"""Files that are replaced in one step, by whoever writes them at the same time."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from schemas.files import replace_file


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_is_as_open_as_asked_whatever_it_was(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o644)
    replace_file(path, "straße", mode)
    assert path.read_bytes() == "straße".encode()
    assert path.stat().st_mode & 0o777 == mode


def test_writers_do_not_disturb_each_other_and_leave_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "file"
    texts = [str(number) * 1000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda text: replace_file(path, text), texts * 20))
    assert path.read_text() in texts
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        replace_file(path, "\ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
