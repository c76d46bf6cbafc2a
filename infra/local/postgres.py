"""PostgreSQL 18 from its wheel: binaries, data directory, configuration and the process to run."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from psycopg import pq, sql
from psycopg.conninfo import make_conninfo

from infra import postgres_tools
from infra.errors import TailraceError
from infra.local.account import (
    Account,
    make_shared_directory,
    open_directory,
    require_access,
    substitute,
)
from infra.local.passwords import ensure_password
from infra.local.probe import port_answers
from infra.local.program import Program, fingerprint
from infra.postgres_tools import BINARIES, MAJOR_VERSION, WHEEL
from infra.services import STANDBY, SUPERUSER
from infra.settings import HOST, STANDBY_SIGNAL, Settings
from schemas.files import replace_file

CONFIGURATION = """\
# Written by `tailrace up`; changes made here are lost.
listen_addresses = '{host}'
port = {port}
unix_socket_directories = ''
hba_file = '{hba_file}'
password_encryption = 'scram-sha-256'
max_connections = {connections}
shared_buffers = '128MB'
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %q%u@%d '

# change data capture: a slot that nobody reads may hold back this much WAL, then it is given up
wal_level = 'logical'
max_wal_senders = 10
max_replication_slots = 10
max_slot_wal_keep_size = '4GB'
logical_decoding_work_mem = '64MB'

# an order that was answered survives a power cut
synchronous_commit = on
max_wal_size = '1GB'
checkpoint_timeout = '15min'

# until a new table is analyzed, statements are planned as if it were small, and read all of it
autovacuum_naptime = '10s'

# after a crash everything is flushed before recovery begins: by one call, not by opening each of some thousand files
{flush}
"""

CONFIGURATION_OF_A_CLUSTER = """
# Which of the two is the standby, its data tell; each could be. Whether commits wait for it, and the connector with
# what it publishes (synchronous_standby_names, synchronized_standby_slots), is changed while they run.
primary_conninfo = '{other}'
primary_slot_name = '{standby}'
hot_standby_feedback = on
sync_replication_slots = on
wal_retrieve_retry_interval = '500ms'
"""

# twice as many workers, each with a pool of its own
CONNECTIONS = {"single": 150, "cluster": 250}
CACHED = frozenset({"java", "postgres"})
"""What we put into the cache: a directory with anything else is not ours alone to open."""
LINUX = sys.platform == "linux"
FLUSH = "recovery_init_sync_method = 'syncfs'"  # other systems have no such call

HOST_BASED_ACCESS = """\
# Written by `tailrace up`. Logical replication is covered by "all"; physical replication is closed{but}.
host all all {host}/32 scram-sha-256
"""
ACCESS_OF_A_STANDBY = "host replication {standby} {host}/32 scram-sha-256\n"
SENDER_TIMEOUT = "10s"
"""How long a standby may say nothing until it is taken for lost."""


class PostgresError(TailraceError):
    """The database cannot be set up."""


def prepare(settings: Settings, name: str = "postgres") -> Program:
    """Make everything the server needs, once, and describe its process.

    The data of a standby are a copy of the primary's, which is made when that one runs.
    """
    account = substitute()
    directory = settings.home / name
    directory.mkdir(exist_ok=True)
    if account:
        require_access(settings.home, account)
        directory.chmod(0o755)
    binaries = installed(settings.cache, account)
    files = _write_configuration(settings, name, account)
    data = directory / "data"
    if (data / "PG_VERSION").is_file():
        _require_version(data)
    if settings.primary == name:
        if not (data / "PG_VERSION").is_file():
            _initialise(binaries, directory, account, ensure_password(settings.secrets, SUPERUSER))
        elif not settings.secret_file(SUPERUSER).is_file():
            _reset_superuser(binaries, directory, account, settings)
    argv = (str(binaries / "postgres"), "-D", str(data), "-c", f"config_file={files[0]}")
    environment = {"LC_ALL": "C"}
    return Program(
        name=name,
        argv=argv,
        env=environment,
        directory=directory,
        stage=10,
        account=account.name if account else None,
        stop_signal="INT",  # "fast": connections are ended, everything is written down
        stop_group=False,  # the server tells its own children
        stop_wait_s=60,
        fingerprint=fingerprint(argv, environment, files),
    )


def is_ready(settings: Settings, name: str = "postgres") -> bool:
    port = settings.postgres_ports[name]
    target = f"host={HOST} port={port} connect_timeout=1 dbname=postgres user=postgres"
    return bool(pq.PGconn.ping(target.encode()) == pq.Ping.OK)


def copy_primary(settings: Settings) -> None:
    """Make the data of the standby, as a copy of the primary's, which runs; none of its slots come along."""
    account, name = substitute(), settings.standby
    directory = settings.home / str(name)
    partial = directory / "data.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700)
    _own(partial, account)
    cluster = partial / "cluster"
    _run(
        [
            *(str(installed(settings.cache, account) / "pg_basebackup"), "--pgdata", str(cluster)),
            *("--dbname", _primary_of(settings, str(name)), "--no-password"),
            *("--checkpoint", "fast", "--wal-method", "stream", "--slot", STANDBY),
            *(("--sync-method", "syncfs") if LINUX else ()),
        ],
        directory=directory,
        account=account,
    )
    mark_as_standby(cluster)
    cluster.rename(directory / "data")
    shutil.rmtree(partial)


def mark_as_standby(data: Path) -> None:
    """Have whoever starts a server on these data get a standby, which takes no writes; a running one sees nothing."""
    signal = data / STANDBY_SIGNAL
    signal.touch(mode=0o600)
    _own(signal, substitute())
    for path in (signal, data):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def _primary_of(settings: Settings, name: str) -> str:
    """Return how a server reaches the other one, as its standby."""
    [port] = [port for other, port in settings.postgres_ports.items() if other != name]
    return make_conninfo(
        host=HOST,
        port=port,
        user=STANDBY,
        dbname="postgres",  # which the synchronisation of slots asks
        passfile=str(settings.home / name / f"{STANDBY}.pgpass"),
        application_name=STANDBY,
        options=f"-c wal_sender_timeout={SENDER_TIMEOUT}",
    )


def _own(path: Path, account: Account | None) -> None:
    if account:
        os.chown(path, account.uid, account.gid)


def installed(cache: Path, account: Account | None) -> Path:
    """Return the directory of the binaries; for another account they are copied once to the cache."""
    package = postgres_tools.package()
    if account is None:
        return package / BINARIES
    target = cache / "postgres" / version(WHEEL)
    if not target.is_dir():
        _copy_for_others(package, target)
    copied = target / package.name / BINARIES
    if {each.name for each in cache.iterdir()} <= CACHED:
        open_directory(cache)  # an umask may have closed it when it was made
    require_access(copied, account)
    return copied


def _copy_for_others(package: Path, target: Path) -> None:
    """Copy what the binaries need, in the layout in which they look for their libraries."""
    make_shared_directory(target.parent)
    partial = target.with_name(f".{target.name}-{os.getpid()}")
    install = BINARIES.parent
    for source in (
        package / install,
        package / ".dylibs",
        package.with_name(f"{package.name}.libs"),
    ):
        if source.is_dir():
            shutil.copytree(source, partial / source.relative_to(package.parent), symlinks=True)
    for path in (partial, *partial.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode & 0o777
            path.chmod(mode | 0o055 if path.is_dir() or mode & 0o100 else mode | 0o044)
    try:
        partial.rename(target)
    except OSError:
        shutil.rmtree(partial)  # another command was faster
        if not target.is_dir():
            raise


def _write_configuration(settings: Settings, name: str, account: Account | None) -> list[Path]:
    directory = settings.home / name
    main, access = directory / "postgresql.conf", directory / "pg_hba.conf"
    text = CONFIGURATION.format(
        host=HOST,
        port=settings.postgres_ports[name],
        hba_file=access,
        connections=CONNECTIONS[settings.shape],
        flush=FLUSH if LINUX else "",
    )
    rules = HOST_BASED_ACCESS.format(host=HOST, but="")
    if settings.shape == "cluster":
        _hand_over_password(settings, directory, account)
        other = _primary_of(settings, name).replace("'", "''")
        text += CONFIGURATION_OF_A_CLUSTER.format(other=other, standby=STANDBY)
        rules = HOST_BASED_ACCESS.format(host=HOST, but=" but to a standby")
        rules += ACCESS_OF_A_STANDBY.format(host=HOST, standby=STANDBY)
    for path, content in ((main, text), (access, rules)):
        path.write_text(content)
        path.chmod(0o644 if account else 0o600)
    return [main, access]


def _hand_over_password(settings: Settings, directory: Path, account: Account | None) -> None:
    """Copy the one password that a standby needs to where its server may read it."""
    copy = directory / f"{STANDBY}.pgpass"
    replace_file(copy, (settings.secrets / copy.name).read_text())
    _own(copy, account)


def _initialise(binaries: Path, directory: Path, account: Account | None, password: str) -> None:
    # an interrupted run leaves only this directory behind, never data that looks complete
    partial = directory / "data.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700)
    password_file = partial / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    cluster = partial / "cluster"
    for path in (partial, password_file):
        _own(path, account)
    _run(
        [
            *(str(binaries / "initdb"), "--pgdata", str(cluster), "--username", SUPERUSER),
            *("--pwfile", str(password_file), "--auth", "scram-sha-256", "--encoding", "UTF8"),
            *("--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
        ],
        directory=directory,
        account=account,
    )
    cluster.rename(directory / "data")
    shutil.rmtree(partial)


def _reset_superuser(
    binaries: Path, directory: Path, account: Account | None, settings: Settings
) -> None:
    """Give the superuser a new password after its file was lost; only possible while stopped."""
    if port_answers(settings.postgres_ports[settings.primary]):
        raise PostgresError(
            f"The password file {SUPERUSER}.password is gone from {settings.secrets} while the database "
            "runs: run `make down`, then `make up` makes a new one."
        )
    password = ensure_password(settings.secrets, SUPERUSER)
    statement = sql.SQL("ALTER ROLE {} PASSWORD {}\n").format(sql.Identifier(SUPERUSER), password)
    configuration = f"config_file={directory / 'postgresql.conf'}"
    _run(
        [
            *(str(binaries / "postgres"), "--single", "-D", str(directory / "data")),
            *("-c", configuration, "postgres"),
        ],
        directory=directory,
        account=account,
        stdin=statement.as_string(),
    )


def _require_version(data: Path) -> None:
    found = (data / "PG_VERSION").read_text().strip()
    if found != MAJOR_VERSION:
        raise PostgresError(
            f"The data in {data} were written by PostgreSQL {found}, but this is {MAJOR_VERSION}: "
            "run `make reset` to start afresh, or dump them with the old version first."
        )


def _run(
    argv: list[str], *, directory: Path, account: Account | None, stdin: str | None = None
) -> None:
    identity: dict[str, object] = {}
    if account:
        identity = {"user": account.uid, "group": account.gid, "extra_groups": []}
    result = subprocess.run(  # type: ignore[call-overload]
        argv,
        input=stdin or "",
        cwd=directory,
        env={"PATH": os.defpath, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
        **identity,
    )
    if result.returncode != 0:
        lines = [line for line in result.stderr.splitlines() if line.strip()]
        reason = next(
            (line for line in lines if "error" in line or "FATAL" in line),
            lines[-1] if lines else "",
        )
        raise PostgresError(
            f"{Path(argv[0]).name} failed: {reason.strip() or f'exit {result.returncode}'}."
        )
