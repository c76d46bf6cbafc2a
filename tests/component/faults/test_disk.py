"""A disk that takes nothing more, for a process that writes and one that is started meanwhile."""

import errno
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.faults.disk import fill

WRITES = """
import sys, time
print("begun", flush=True)
while True:
    try:
        with open(sys.argv[1], "ab", buffering=0) as file:
            file.write(b"x")
        print(0, flush=True)
    except OSError as error:
        print(error.errno, flush=True)
    time.sleep(0.01)
"""


@contextmanager
def writing(file: Path) -> Iterator["subprocess.Popen[str]"]:
    argv = [sys.executable, "-c", WRITES, str(file)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def outcomes_until(process: "subprocess.Popen[str]", outcome: int) -> None:
    assert process.stdout
    assert any(line.strip() == str(outcome) for line in process.stdout), "it has ended"


def test_nothing_is_written_for_a_while_and_then_again(tmp_path: Path) -> None:
    with writing(tmp_path / "file") as process:
        outcomes_until(process, 0)
        fill(lambda: [psutil.Process(process.pid)], 0.3)
        outcomes_until(process, errno.EFBIG)
        outcomes_until(process, 0)


def test_one_that_is_started_meanwhile_writes_nothing_either(tmp_path: Path) -> None:
    with writing(tmp_path / "file") as first, writing(tmp_path / "other") as second:
        looks = iter([[first]] * 2)

        def look() -> list[psutil.Process]:
            return [psutil.Process(each.pid) for each in next(looks, [first, second])]

        fill(look, 0.5)
        for each in (first, second):
            outcomes_until(each, errno.EFBIG)
            outcomes_until(each, 0)


def test_one_that_ends_meanwhile_is_let_go(tmp_path: Path) -> None:
    with writing(tmp_path / "file") as process:
        known = psutil.Process(process.pid)
        process.kill()
        process.wait()
        fill(lambda: [known], 0.2)
