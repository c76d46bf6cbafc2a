import os
import socket
import stat
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from infra.local import preflight
from infra.local.account import (
    Account,
    AccountError,
    require_access,
    usual_umask,
)
from infra.local.home import MARKER, prepared
from infra.local.java import flock
from infra.local.postgres import installed
from infra.local.preflight import PreflightError
from infra.local.provision import ensure_passwords
from infra.postgres_tools import BINARIES, WHEEL, package
from infra.settings import HOST, Settings
from tests.stack import own_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return own_settings(tmp_path / "home")


@pytest.fixture
def stranger(settings: Settings) -> Iterator[int]:
    """Somebody who listens on the port that connect wants."""
    with socket.create_server((HOST, settings.connect_port)):
        yield settings.connect_port


def test_free_ports_pass(settings: Settings) -> None:
    preflight.check_ports(settings, running=())


def test_a_taken_port_is_named_with_its_part_and_owner(settings: Settings, stranger: int) -> None:
    sentence = rf"^Port {stranger}, wanted by connect, is taken.*TAILRACE_CONNECT_PORT.*\.$"
    with pytest.raises(PreflightError, match=sentence) as caught:
        preflight.check_ports(settings, running=())
    assert f"(process {os.getpid()})" in str(caught.value)


@pytest.mark.usefixtures("stranger")
def test_the_port_of_a_running_part_is_its_own(settings: Settings) -> None:
    preflight.check_ports(settings, running={"connect"})


def test_the_port_of_a_jvm_that_tells_nothing_may_be_taken(tmp_path: Path) -> None:
    settings = own_settings(tmp_path / "home")
    with socket.create_server((HOST, settings.connect_metrics_port)):
        preflight.check_ports(settings, running=())
        telling = settings.model_copy(update={"jvm_metrics": "on"})
        with pytest.raises(PreflightError, match="wanted by connect"):
            preflight.check_ports(telling, running=())


@pytest.mark.parametrize(
    ("broker", "asked", "found"), [("kafka", "cluster", "single"), ("kafka-1", "single", "cluster")]
)
def test_another_profile_than_that_of_the_data_is_refused(
    broker: str, asked: str, found: str, tmp_path: Path
) -> None:
    preflight.check_profile(own_settings(tmp_path, profile=asked))
    (tmp_path / broker / "data").mkdir(parents=True)
    (tmp_path / broker / "data" / "meta.properties").touch()
    for fitting in ("auto", found):
        preflight.check_profile(own_settings(tmp_path, profile=fitting))
    sentence = rf"are those of the profile {found}, and {asked} is .*`make up PROFILE={found}`"
    with pytest.raises(PreflightError, match=sentence):
        preflight.check_profile(own_settings(tmp_path, profile=asked))


def test_an_old_python_is_refused() -> None:
    with pytest.raises(PreflightError, match=r"needs Python 3\.11 or newer and this is 3\.9"):
        preflight.check_python((3, 9))
    preflight.check_python((3, 11))


def test_a_full_disk_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        PreflightError, match=r"^Only \d+ MB are free where .* lies and \d+ MB are wanted"
    ):
        preflight.check_disk(tmp_path / "not" / "there" / "yet", 10**9)
    preflight.check_disk(tmp_path, 0)


@pytest.mark.parametrize("umask", [0o000, 0o027, 0o077])
def test_a_cache_that_an_umask_closed_is_opened_and_one_with_more_in_it_is_not(umask: int) -> None:
    account = Account("nobody", uid=65534, gid=65534)
    with TemporaryDirectory() as directory:
        cache = Path(directory, "cache")
        Path(directory).chmod(0o755)
        before = os.umask(umask)
        try:
            with flock.exclusive(cache / "java" / ".lock"):
                pass
        finally:
            os.umask(before)
        binaries = cache / "postgres" / version(WHEEL) / package().name / BINARIES
        binaries.mkdir(parents=True)
        (cache / "letters").mkdir()
        if umask:
            with pytest.raises(AccountError, match=rf"cannot enter {cache}:"):
                installed(cache, account)
        (cache / "letters").rmdir()
        assert installed(cache, account) == binaries


@pytest.mark.parametrize("umask", [0o000, 0o027, 0o077])
def test_no_umask_opens_a_secret_or_closes_what_others_read(tmp_path: Path, umask: int) -> None:
    def mode(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    home = tmp_path / "home"
    settings = own_settings(home, profile="cluster")
    before = os.umask(umask)
    try:
        with usual_umask(), prepared(home):
            ensure_passwords(settings)
            with flock.exclusive(tmp_path / "cache" / "java" / ".lock"):
                pass
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    secrets = [*settings.secrets.iterdir(), *settings.connect_secrets.iterdir()]
    assert {mode(path) for path in secrets} == {0o600}
    closed = [settings.secrets, settings.connect_secrets, home / "logs", home / "supervisor"]
    assert {mode(path) for path in closed} == {0o700}
    assert mode(home / MARKER) == 0o644
    assert {mode(tmp_path / "cache" / each) for each in (".", "java")} == {0o755}


def test_a_directory_closed_to_the_database_account_is_named() -> None:
    with TemporaryDirectory() as directory:  # pytest's own are closed to others
        closed = Path(directory, "closed")
        (closed / "home").mkdir(parents=True)
        closed.parent.chmod(0o755)
        account = Account("nobody", uid=65534, gid=65534)
        require_access(closed / "home", account)
        closed.chmod(0o700)
        with pytest.raises(AccountError, match=rf"'nobody'.* cannot enter {closed}:"):
            require_access(closed / "home", account)
