"""Replays that go on by themselves: what is kept of them."""

from pathlib import Path

from infra.operations.replay import jobs


def test_a_job_that_never_had_a_lock_is_forgotten_too(tmp_path: Path) -> None:
    for number in range(jobs.KEPT + 1):
        (tmp_path / f"20261128-120000-{number:04x}").mkdir()
    jobs._forget_old(tmp_path)
    assert len([*tmp_path.iterdir()]) == jobs.KEPT - 1
