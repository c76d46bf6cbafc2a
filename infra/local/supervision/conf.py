"""The configuration of supervisord, rendered from programs; it holds no secrets."""

import hashlib
import os
import re
import shlex
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

from infra.errors import TailraceError
from infra.local.program import Program
from infra.settings import SettingsError
from schemas.files import replace_file

MARKER_VARIABLE = "TAILRACE_SUPERVISED_HOME"
FINGERPRINT_VARIABLE = "TAILRACE_FINGERPRINT"

# the shortest limit of a socket's path (macOS), less the ".<pid>" supervisord appends while binding
LONGEST_SOCKET_PATH = 103 - len(".4194304")

# A process that dies within START_SECONDS is started again after 1, 2, 3 ... seconds, and given up
# after START_RETRIES attempts (about 8 minutes); one that lived longer is started again at once.
START_SECONDS = 10
START_RETRIES = 30

DAEMON = """\
; Written by `tailrace up`; changes made here are lost.
[supervisord]
nodaemon=false
{user}
logfile={logs}/supervisord.log
logfile_maxbytes=5MB
logfile_backups=1
pidfile={pid}
directory={directory}
umask=077

[unix_http_server]
file={socket}
chmod=0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[rpcinterface:tailrace]
supervisor.rpcinterface_factory=infra.local.supervision.restarts:make_restarts

"""

PROGRAM = """\
[program:{name}]
command={command}
directory={directory}
environment={environment}
priority={stage}
autostart=false
autorestart={restart}
startsecs={start_seconds}
startretries={start_retries}
stopsignal={stop_signal}
stopwaitsecs={stop_wait_s}
stopasgroup={stop_group}
killasgroup=true
redirect_stderr=true
stdout_logfile={logs}/{name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=2
{user}
"""


class SocketError(TailraceError):
    """The directory of the control socket is not ours alone."""


def socket_path(home: Path) -> Path:
    """Return where supervisord listens: in the home, or in a short place if its path is too long.

    Which place that is depends on the shell in which it was started (TMPDIR), so it is looked up in what was written
    then: in another shell nobody is to take a stack that runs for one that does not.
    """
    near = home / "supervisor" / "control.sock"
    if len(os.fsencode(near)) <= LONGEST_SOCKET_PATH:
        return near
    if (told := _told_socket(home)) and _is_ours_alone(told.parent):
        return told
    directory = Path(tempfile.gettempdir()) / f"tailrace-{os.geteuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    if not _is_ours_alone(directory):
        raise SocketError(
            f"{directory} belongs to another account or is open to others, so no control socket is put "
            "there: remove it, or set TMPDIR to a directory of your own."
        )
    return directory / f"{hashlib.sha256(os.fsencode(home)).hexdigest()[:16]}.sock"


def _told_socket(home: Path) -> Path | None:
    try:
        text = configuration_path(home).read_text()
    except FileNotFoundError:
        return None
    told = re.search(r"^file=(.+)$", text, re.MULTILINE)
    return Path(told[1]) if told else None


def _is_ours_alone(directory: Path) -> bool:
    try:
        entry = directory.lstat()
    except FileNotFoundError:
        return False
    is_open = entry.st_uid != os.geteuid() or entry.st_mode & 0o077
    return stat.S_ISDIR(entry.st_mode) and not is_open


def configuration_path(home: Path) -> Path:
    return home / "supervisor" / "supervisord.conf"


def pid_path(home: Path) -> Path:
    return home / "supervisor" / "supervisord.pid"


def log_path(home: Path, name: str) -> Path:
    return home / "logs" / f"{name}.log"


def write_configuration(home: Path, programs: Iterable[Program]) -> None:
    replace_file(configuration_path(home), render(home, programs))


def render(home: Path, programs: Iterable[Program]) -> str:
    logs, directory = home / "logs", home / "supervisor"
    user = "user=root" if os.geteuid() == 0 else ""  # said openly, or supervisord warns about it
    daemon = DAEMON.format(
        logs=logs, directory=directory, pid=pid_path(home), socket=socket_path(home), user=user
    )
    return daemon + "\n".join(_render_program(home, program) for program in programs)


def _render_program(home: Path, program: Program) -> str:
    variables = program.env | {FINGERPRINT_VARIABLE: program.fingerprint}
    return PROGRAM.format(
        name=program.name,
        command=_escape(f"the command line of {program.name}", shlex.join(program.argv)),
        directory=_escape("the path of this clone", str(program.directory)),
        environment=",".join(
            f'{key}="{_quotable(key, value)}"' for key, value in variables.items()
        ),
        stage=program.stage,
        restart=str(program.restart).lower(),
        start_seconds=START_SECONDS if program.restart else 0,
        start_retries=START_RETRIES,
        stop_signal=program.stop_signal,
        stop_wait_s=program.stop_wait_s,
        stop_group=str(program.stop_group).lower(),
        logs=home / "logs",
        user=f"user={program.account}" if program.account else "",
    )


def _escape(name: str, value: str) -> str:
    if re.search(r"[\r\n]|\s[;#]", value):  # each ends the value, whatever is around it
        raise SettingsError(
            f"supervisord cannot be told {name}, {value!r}: it must not hold line breaks, or ; or # behind a space."
        )
    return value.replace("%", "%%")


def _quotable(variable: str, value: str) -> str:
    if re.search(r"""["]|^'|'$""", value):
        raise SettingsError(
            f'supervisord cannot be told {variable}, {value!r}: it must not hold ", or begin or end with a quote.'
        )
    return _escape(variable, value)
