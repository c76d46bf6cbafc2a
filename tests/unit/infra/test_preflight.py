import os
import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from infra.local import preflight
from infra.local.account import Account, AccountError, require_access
from infra.local.preflight import PreflightError
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
