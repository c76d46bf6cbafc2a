import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from infra.settings import REPOSITORY

TARGETS = (
    "up down reset status logs doctor lag parked demo test test-unit test-containers bench bench-guard chaos lint"
    " typecheck lock generate replay schema-check schema-publish connector clean help"
)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone in which nothing was installed yet."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, tmp_path)
    return tmp_path


def make(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    outer = ("PYTHON", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")  # of the make that runs these tests
    environment = {name: value for name, value in os.environ.items() if name not in outer}
    return subprocess.run(
        ["make", *arguments],
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def program(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_make_alone_prints_the_menu_and_installs_nothing(clone: Path) -> None:
    result = make(clone)
    assert result.returncode == 0
    shown = [line.split()[1] for line in result.stdout.splitlines()]
    assert sorted(shown) == sorted(TARGETS.split())
    assert not (clone / ".venv").exists()


def test_an_old_python_is_refused_in_one_sentence(clone: Path) -> None:
    old = program(
        clone / "python3.9", 'case "$1" in --version) echo Python 3.9.6;; *) exit 1;; esac'
    )
    result = make(clone, "up", f"PYTHON={old}")
    assert result.returncode != 0
    assert result.stderr.startswith(
        f"Tailrace needs Python 3.11 or newer, and {old} is Python 3.9.6: run 'make PYTHON="
    )
    assert not (clone / ".venv").exists()


def test_a_missing_python_is_refused_in_one_sentence(clone: Path) -> None:
    result = make(clone, "up", "PYTHON=/no/such/python3")
    assert result.returncode != 0
    assert result.stderr.startswith("Tailrace needs Python 3.11 or newer, and /no/such/python3 is ")


def test_a_python_without_venv_is_refused_in_one_sentence(clone: Path) -> None:
    bare = program(clone / "python3", 'case "$2" in *ensurepip*) exit 1;; esac')
    result = make(clone, "up", f"PYTHON={bare}")
    assert result.returncode != 0
    assert result.stderr.startswith(
        f"{bare} cannot make virtual environments: install its venv module"
    )
    assert not (clone / ".venv").exists()


def test_an_interrupted_install_is_begun_again(clone: Path) -> None:
    broken_pip = program(clone / "pip", "exit 1")
    failing = f'case "$2" in venv) mkdir -p .venv/bin; cp {broken_pip} .venv/bin/pip;; esac'
    python = program(clone / "python3", failing)
    for _ in range(2):
        result = make(clone, "up", f"PYTHON={python}")
        assert result.returncode != 0
        assert "Installing into .venv" in result.stdout
        assert "The packages could not be installed" in result.stderr
    assert not (clone / ".venv" / ".locked").exists()


def test_logs_wants_to_know_whose(clone: Path) -> None:
    (clone / ".venv").mkdir()
    for name in (".locked", ".installed"):
        (clone / ".venv" / name).touch()
    result = make(clone, "logs")
    assert result.returncode != 0
    assert result.stderr.startswith("Say whose log: make logs SERVICE=connect\n")
