import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.doctor.machine import machine_checks
from infra.local.down import reset
from infra.local.home import HomeError, delete_home, exclusive, is_home, prepare_home
from infra.local.passwords import ensure_password
from infra.local.supervision.conf import MARKER_VARIABLE
from infra.operations.doctor.check import Trouble
from infra.settings import load_settings
from tests.stack import own_settings


@pytest.fixture
def home(tmp_path: Path) -> Path:
    directory = tmp_path / "deeper" / "home"
    prepare_home(directory)
    return directory


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_home_is_made_with_closed_secrets(home: Path) -> None:
    assert is_home(home)
    assert mode(home / "secrets") == 0o700


def test_preparing_twice_changes_nothing(home: Path) -> None:
    (home / "secrets" / "kept").write_text("x")
    prepare_home(home)
    assert (home / "secrets" / "kept").read_text() == "x"


def test_secrets_that_were_opened_are_closed_again(home: Path) -> None:
    (home / "secrets").chmod(0o755)
    prepare_home(home)
    assert mode(home / "secrets") == 0o700


def test_a_directory_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(HomeError, match="is not a home of Tailrace"):
        prepare_home(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("kind", ["processes", "containers"])
@pytest.mark.parametrize("what", ["file", "directory", "nothing"])
def test_a_reset_says_gone_of_what_is_gone(tmp_path: Path, kind: str, what: str) -> None:
    place = tmp_path / "place"
    if what == "file":
        place.touch()
    elif what == "directory":
        place.mkdir()
        (place / "letter.txt").write_text("dear")
    command = [sys.executable, "-m", "infra.cli", "reset", "--yes"]
    variables = {"TAILRACE_STACK": kind, "TAILRACE_HOME": str(place)}
    done = subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    if what == "nothing":
        assert (done.returncode, done.stdout) == (0, f"{place} is gone.\n")
    else:
        assert done.returncode == 1
        assert "is not a home of Tailrace" in done.stderr
        assert place.exists()


def test_the_doctor_tells_what_is_no_home_from_what_is_not_there_yet(tmp_path: Path) -> None:
    place = tmp_path / "place"
    check = next(each for each in machine_checks(own_settings(place)) if each.name == "home")
    for change, words, remedy in (
        (None, "does not exist yet", "run `make up`"),
        (place.touch, "exists and is not a home", "choose another .* TAILRACE_HOME"),
        (place.unlink, "does not exist yet", "run `make up`"),
        (place.mkdir, "does not exist yet", "run `make up`"),
        (
            (place / "letter.txt").touch,
            "exists and is not a home",
            "choose another .* TAILRACE_HOME",
        ),
    ):
        if change:
            change()
        with pytest.raises(Trouble, match=words) as trouble:
            check.run()
        assert re.match(remedy, trouble.value.remedy)


def test_only_a_home_is_deleted(home: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(HomeError, match="nothing was deleted"):
        delete_home(tmp_path)
    assert (tmp_path / "letter.txt").exists()
    delete_home(home)
    assert not home.exists()
    delete_home(home)


def test_a_home_by_a_link_is_deleted_with_its_processes(home: Path, tmp_path: Path) -> None:
    """Also those that were given the link, before homes were told by where it leads to."""
    link = tmp_path / "link"
    link.symlink_to(home)
    started = [
        subprocess.Popen(["sleep", "60"], env={**os.environ, MARKER_VARIABLE: str(marked)})
        for marked in (link, home, tmp_path / "other")
    ]
    try:
        reset(load_settings(home=link))
        assert not home.exists()
        assert [process.poll() is None for process in started] == [False, False, True]
    finally:
        for process in started:
            process.kill()
            process.wait()


def test_deleting_does_not_follow_links(home: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "letter.txt").write_text("dear")
    (home / "link").symlink_to(outside)
    delete_home(home)
    assert (outside / "letter.txt").exists()


def test_one_command_at_a_time(home: Path) -> None:
    with exclusive(home), pytest.raises(HomeError, match="Another command"), exclusive(home):
        pass
    with exclusive(home):
        pass


def test_passwords_are_made_once_and_repaired(tmp_path: Path) -> None:
    password = ensure_password(tmp_path, "orders")
    assert len(password) >= 32
    assert ensure_password(tmp_path, "orders") == password
    passfile = tmp_path / "orders.pgpass"
    assert passfile.read_text() == f"*:*:*:orders:{password}\n"
    passfile.unlink()
    assert ensure_password(tmp_path, "orders") == password
    assert passfile.exists()
    assert {mode(path) for path in tmp_path.iterdir()} == {0o600}
