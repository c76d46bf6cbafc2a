"""The Java artifacts arrive whole or not at all, whatever the network and the disk do."""

import errno
import io
import os
import shutil
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from infra.local.java import artifacts, download
from infra.local.java.artifacts import ArtifactError
from infra.local.java.lockfile import Artifact
from tests.unit.infra.java_repository import Repository, serving

CONTENT = os.urandom(900_000) + b"."


class Stand(NamedTuple):
    """A repository with two locked artifacts, and an empty cache."""

    repository: Repository
    jar: Artifact
    cache: Path

    @property
    def jar_path(self) -> Path:
        return self.cache / "java" / "repository" / self.jar.path

    @property
    def partial(self) -> Path:
        return self.jar_path.with_name(f"{self.jar_path.name}.part")


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    with serving() as repository:
        jar = repository.artifact("library", CONTENT)
        archive = repository.artifact("app", distribution({"app/app.jar": b"app"}), "tar.gz")
        locked = {"kafka": (jar,), "connect": (jar,), "registry": (archive,)}
        monkeypatch.setattr(artifacts, "read", lambda: locked)
        monkeypatch.setenv(artifacts.MIRROR_VARIABLE, f"{repository.url}/")
        monkeypatch.setattr(download, "FIRST_PAUSE_S", 0)
        yield Stand(repository, jar, tmp_path / "cache")


def distribution(files: dict[str, bytes], link: str | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        if link:
            member = tarfile.TarInfo(link)
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(member)
    return buffer.getvalue()


def test_everything_arrives_and_is_not_asked_for_again(stand: Stand) -> None:
    seen: list[tuple[int, int]] = []
    artifacts.ensure(stand.cache, progress=lambda _, done, total: seen.append((done, total)))
    assert stand.jar_path.read_bytes() == CONTENT
    assert artifacts.class_path(stand.cache, "kafka") == (stand.jar_path,)
    (app,) = (jar for jar in artifacts.class_path(stand.cache, "registry") if jar.name == "app.jar")
    assert app.read_bytes() == b"app"
    assert seen[-1][0] == seen[-1][1]
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)

    asked = len(stand.repository.requests)
    assert not artifacts.missing(stand.cache)
    artifacts.ensure(stand.cache)
    assert len(stand.repository.requests) == asked
    assert not list(stand.cache.rglob("*.part"))


def test_a_cut_download_goes_on_where_it_was_cut(stand: Stand) -> None:
    stand.repository.cut_after = [300_000, 300_000]
    artifacts.ensure(stand.cache)
    assert stand.jar_path.read_bytes() == CONTENT
    ranges = [wanted for path, wanted in stand.repository.requests if path == stand.jar.path]
    assert ranges[0] is None
    assert ranges[-1] is not None


def test_a_later_run_goes_on_where_an_earlier_one_was_ended(stand: Stand) -> None:
    stand.partial.parent.mkdir(parents=True)
    stand.partial.write_bytes(CONTENT[:123_456])
    artifacts.ensure(stand.cache)
    assert (stand.jar.path, "bytes=123456-") in stand.repository.requests
    assert stand.jar_path.read_bytes() == CONTENT


def test_a_server_without_ranges_sends_the_whole_file(stand: Stand) -> None:
    stand.repository.ignores_ranges = True
    stand.partial.parent.mkdir(parents=True)
    stand.partial.write_bytes(CONTENT[:123_456])
    artifacts.ensure(stand.cache)
    assert stand.jar_path.read_bytes() == CONTENT


@pytest.mark.parametrize("damaged", [b"x" * 500, b"x" * len(CONTENT), CONTENT + b"more"])
def test_a_damaged_leftover_is_replaced(stand: Stand, damaged: bytes) -> None:
    stand.partial.parent.mkdir(parents=True)
    stand.partial.write_bytes(damaged)
    artifacts.ensure(stand.cache)
    assert stand.jar_path.read_bytes() == CONTENT


def test_a_truncated_file_is_fetched_again(stand: Stand) -> None:
    artifacts.ensure(stand.cache)
    stand.jar_path.write_bytes(CONTENT[:-1])
    assert artifacts.missing(stand.cache) == [stand.jar]
    artifacts.ensure(stand.cache)
    assert stand.jar_path.read_bytes() == CONTENT


@pytest.mark.parametrize("content", [CONTENT[:-1] + b"?", CONTENT[:-1], CONTENT + b"more"])
def test_another_file_than_the_locked_one_is_refused(stand: Stand, content: bytes) -> None:
    stand.repository.files[stand.jar.path] = content
    with pytest.raises(ArtifactError, match=r"library-1\.jar"):
        artifacts.ensure(stand.cache)
    assert not stand.jar_path.exists()


def test_a_server_in_trouble_is_asked_again(stand: Stand) -> None:
    stand.repository.failures = [503, 429, 500]
    artifacts.ensure(stand.cache)
    assert stand.jar_path.read_bytes() == CONTENT


def test_a_missing_file_ends_it_at_once(stand: Stand) -> None:
    del stand.repository.files[stand.jar.path]
    with pytest.raises(ArtifactError, match=r"answered 404; set TAILRACE_MAVEN_MIRROR"):
        artifacts.ensure(stand.cache)
    assert [path for path, _ in stand.repository.requests].count(stand.jar.path) == 1


def test_no_network_is_said_in_one_sentence(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(artifacts.MIRROR_VARIABLE, "http://127.0.0.1:9")
    with pytest.raises(ArtifactError, match="check the network and proxy settings"):
        artifacts.ensure(stand.cache)


def test_a_disk_too_small_is_noticed_before_anything_is_fetched(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 0))
    with pytest.raises(ArtifactError, match="TAILRACE_CACHE to another disk"):
        artifacts.ensure(stand.cache)
    assert not stand.repository.requests


def test_a_disk_that_fills_up_is_said_in_one_sentence(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_up(_: Path, __: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(artifacts, "unpack", fill_up)
    with pytest.raises(ArtifactError, match="is full"):
        artifacts.ensure(stand.cache)


def test_a_cache_that_cannot_be_written_is_said_in_one_sentence(stand: Stand) -> None:
    stand.cache.write_text("a file where the directory should be")
    with pytest.raises(ArtifactError, match="TAILRACE_CACHE to a directory"):
        artifacts.ensure(stand.cache)


def test_of_several_at_once_one_does_the_work(stand: Stand) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: artifacts.ensure(stand.cache), range(4)))
    paths = [path for path, _ in stand.repository.requests]
    assert len(paths) == len(set(paths)) == 2


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(distribution({"../outside.jar": b"x"}), id="leads out"),
        pytest.param(distribution({"/outside.jar": b"x"}), id="absolute"),
        pytest.param(distribution({}, link="outside.jar"), id="link"),
    ],
)
def test_an_archive_that_reaches_outside_is_not_unpacked(tmp_path: Path, content: bytes) -> None:
    archive = tmp_path / "app.tar.gz"
    archive.write_bytes(content)
    with pytest.raises(ArtifactError, match="not unpacked"):
        artifacts.unpack(archive, tmp_path / "inner" / "app")
    assert not (tmp_path / "inner" / "app").exists()
    assert not list(tmp_path.rglob("outside.jar"))


def test_a_broken_archive_is_not_unpacked(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = stand.repository.artifact("app", b"no archive at all", "tar.gz")
    monkeypatch.setattr(artifacts, "read", lambda: {"registry": (archive,)})
    with pytest.raises(ArtifactError, match="cannot be unpacked"):
        artifacts.ensure(stand.cache)
