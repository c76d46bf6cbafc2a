"""A program that a test needs and that cannot be had fails it, in a sentence."""

from pathlib import Path

import pytest

from tests.debian import NotInstallableError, program


def test_the_machines_own_program_is_taken_if_there_is_one() -> None:
    assert program("sh", package="dash").path.name == "sh"


def test_without_apt_the_sentence_says_what_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        NotInstallableError, match=r"needs the program nosuch, .* no apt-get: install nosuch"
    ):
        program("nosuch", package="nosuch", cache=tmp_path)


def test_what_apt_says_is_in_the_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apt = tmp_path / "apt-get"
    apt.write_text("#!/bin/sh\necho 'E: Unable to locate package nosuch'\nexit 100\n")
    apt.chmod(0o755)
    (tmp_path / "dpkg-deb").symlink_to("/bin/false")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(NotInstallableError, match="Unable to locate package nosuch"):
        program("nosuch", package="nosuch", cache=tmp_path / "cache")
