"""Two servers of Postgres, with nothing else of a cluster: what is answered, the loss of either, and the fence."""

import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace

import psycopg
import pytest

from cdc.database import connect
from cdc.standby import Behind
from infra.errors import TailraceError
from infra.local.account import substitute
from infra.local.down import reset, take_down
from infra.local.home import prepare_home
from infra.local.parts import parts_of
from infra.local.postgres import installed
from infra.local.probe import port_is_free, wait_until
from infra.local.programs import remember
from infra.local.provision import ensure_passwords, provision
from infra.local.standby.files import FENCED, fence
from infra.local.standby.make import (
    ensure_copy,
    primary_up,
    promote_server,
    wait_until_protected,
)
from infra.local.standby.promote import PromotionError, promote
from infra.local.standby.status import report
from infra.local.standby.watch import NAME, behind_file
from infra.local.starter import Starter
from infra.local.supervision.client import Supervisor
from infra.services import CAPTURE, SUPERUSER
from infra.settings import Settings
from tests.again import show
from tests.side_by_side import own_ports
from tests.stack import make_directory, own_settings

WAIT_S = 30.0
SLOT = """
select pg_create_logical_replication_slot('tailrace_outbox', 'pgoutput', failover => true)
"""
CONSUMED = """
select pg_replication_slot_advance('tailrace_outbox', pg_current_wal_insert_lsn())
"""
"""What a connector does to its slot again and again."""


class Pair:
    """A primary and its standby, under supervision."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.supervisor = Supervisor(settings.home)
        self._parts = {part.name: part for part in parts_of(settings)}

    def begin(self) -> None:
        settings = self.settings
        prepare_home(settings.home)
        ensure_passwords(settings)
        names = (*settings.postgres_ports, NAME)
        programs = [self._parts[name].prepare(settings) for name in names]
        remember(settings.home, programs)
        self.supervisor.start_daemon(programs)
        self.start(settings.primary)
        provision(settings.deployment())
        with self.connected(CAPTURE) as connection:
            connection.execute(SLOT)
        with self.connected(SUPERUSER) as connection:
            connection.execute("create table public.kept (number bigint primary key)")
        self.start(NAME)
        self.follow()

    def follow(self) -> None:
        """Make the standby if need be, and wait until it could take over."""
        ensure_copy(self.settings)
        self.start(str(self.settings.standby))
        with self.consuming():
            wait_until_protected(self.settings)

    def start(self, name: str) -> None:
        starter = Starter(self.settings, self.supervisor)
        starter.launch(self._parts[name])
        starter.wait_ready(self._parts[name])

    @contextmanager
    def connected(self, role: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
        with connect(self.settings.database_url(role), autocommit=True) as connection:
            yield connection

    @contextmanager
    def consuming(self) -> Iterator[None]:
        """Move the slot while the block runs, as a connector would."""
        ended = threading.Event()

        def consume() -> None:
            while not ended.wait(0.2):
                with suppress(psycopg.OperationalError), self.connected(CAPTURE) as connection:
                    connection.execute(CONSUMED)

        with ThreadPoolExecutor(1) as executor:
            consumer = executor.submit(consume)
            try:
                yield
            finally:
                ended.set()
            consumer.result()

    def write(self, number: int) -> None:
        with self.connected(SUPERUSER) as connection:
            connection.execute("insert into public.kept values (%s)", [number])

    def kept(self) -> set[int]:
        with self.connected(SUPERUSER) as connection:
            return {
                int(str(number))
                for (number,) in connection.execute("select number from public.kept")
            }

    @property
    def behind(self) -> Behind:
        return Behind(behind_file(self.settings))


class Silent:
    """Takes reports and tells nobody."""

    def started(self, stage: str) -> None: ...

    def finished(self, stage: str, seconds: float, detail: str) -> None: ...


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    directory = make_directory()
    pair = Pair(own_settings(directory / "home", profile="cluster"))
    try:
        pair.begin()
        yield pair
    finally:
        reset(pair.settings)
        shutil.rmtree(directory)


def test_a_standby_that_is_lost_holds_up_nobody_and_takes_over_from_nobody(pair: Pair) -> None:
    settings = pair.settings
    primary, standby = settings.primary, str(settings.standby)
    assert not pair.behind
    take_down(settings, standby, kill=True)
    pair.write(-1)  # which waits until the standby is given up
    assert pair.behind
    pair.start(standby)
    with pair.consuming():
        wait_until_protected(settings)
    assert not pair.behind

    take_down(settings, standby, kill=True)
    pair.write(-2)
    take_down(settings, primary, kill=True)
    with pytest.raises(PromotionError, match=f"{standby} was not promoted.*does not answer"):
        promote(settings, Silent())
    pair.start(standby)
    with pytest.raises(PromotionError, match="may lack what was committed since 2") as caught:
        promote(settings, Silent())
    assert f"`make up` starts {primary} again" in str(caught.value)
    assert settings.primary == primary
    pair.start(primary)
    with pair.consuming():
        wait_until_protected(settings)
    assert {-1, -2} <= pair.kept()


def test_what_was_answered_outlives_the_primary_which_never_takes_a_write_again(
    pair: Pair,
) -> None:
    settings = pair.settings
    old, new = settings.primary, str(settings.standby)
    answered = write_until_lost(pair, old)
    fence(settings, old)
    show(answered, "nothing was answered before the primary was lost")
    with started_by_hand(settings, old) as url, connect(url, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("insert into public.kept values (0)")
        assert connection.execute("select count(*) from public.kept").fetchone() != (0,)

    # as `up` does after a promotion that was interrupted
    assert primary_up(settings, str) == f"{new} is promoted, as had been begun"
    promote_server(settings, new)  # once more changes nothing
    assert (settings.primary, settings.standby) == (new, old)
    assert answered <= pair.kept()
    assert report(settings).fenced == old
    pair.write(-3)  # nobody is waited for
    pair.follow()
    assert not (settings.home / old / FENCED).exists()
    found = report(settings)
    assert (found.primary, found.standby, found.troubles) == (new, old, ())


def write_until_lost(pair: Pair, primary: str) -> set[int]:
    """Write until the primary is gone; return what it had answered by then."""
    answered: set[int] = set()
    enough = threading.Event()

    def write() -> None:
        with (
            suppress(psycopg.OperationalError),
            connect(pair.settings.database_url(SUPERUSER), autocommit=True) as connection,
        ):
            for number in range(1_000_000):
                connection.execute("insert into public.kept values (%s)", [number])
                answered.add(number)
                if number == 50:
                    enough.set()

    with ThreadPoolExecutor(1) as executor:
        writer = executor.submit(write)
        assert enough.wait(WAIT_S)
        take_down(pair.settings, primary, kill=True)
        writer.result()
    return answered


@contextmanager
def started_by_hand(settings: Settings, name: str) -> Iterator[str]:
    """Start a server on the data that were set aside, as somebody might who does not know that it was fenced."""
    account = substitute()
    port = next(port for port in own_ports() if port_is_free(port))
    directory = settings.home / name
    process = subprocess.Popen(
        [
            *(str(installed(settings.cache, account) / "postgres"), "-D", str(directory / FENCED)),
            *("-c", f"config_file={directory / 'postgresql.conf'}", "-p", str(port)),
        ],
        cwd=directory,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={"LC_ALL": "C"},
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
    try:
        url = replace(settings.database, port=port, others=()).url(SUPERUSER)

        def answers() -> bool:
            with suppress(psycopg.OperationalError):
                connect(url).close()
                return True
            return False

        wait_until("the fenced server does not answer", answers, timeout_s=WAIT_S)
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(WAIT_S)


def test_without_two_servers_there_is_nothing_to_promote() -> None:
    directory = make_directory()
    try:
        with pytest.raises(TailraceError, match="one server of Postgres here"):
            promote(own_settings(directory / "home"), Silent())
    finally:
        shutil.rmtree(directory)
