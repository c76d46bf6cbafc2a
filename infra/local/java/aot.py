"""Making the start-up caches (Java's AOT caches): run each part once in a scratch home and keep what it has loaded.

A JVM that starts with such a cache finds its classes loaded and linked, which halves its start. The
training needs a minute or two of one core, once for each set of jars and Java runtime.
"""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPException
from pathlib import Path
from secrets import token_urlsafe

from confluent_kafka import KafkaException

from infra.errors import TailraceError
from infra.local.java import artifacts, connect, exercise, jvm, kafka, registry
from infra.local.java.flock import exclusive
from infra.local.java.process import Process
from infra.local.probe import ProbeTimeoutError, wait_until
from infra.services import PUBLISHER
from infra.settings import HOST

PARTS = ("kafka", "connect", "registry")
READY_TIMEOUT_S = 180.0  # a plain start on a busy machine
WRITE_TIMEOUT_S = 300.0  # ending includes writing the cache


_GIVE_UP = (
    ProbeTimeoutError,
    subprocess.TimeoutExpired,
    KafkaException,
    HTTPException,
    ConnectionError,
    TimeoutError,
)


class TrainingError(TailraceError):
    """A start-up cache could not be made; the parts start without it, only slower."""


def archives(cache: Path) -> dict[str, Path]:
    """Part -> where the start-up cache stands, or will stand, that fits the present jars and runtime."""
    return {
        part: jvm.archive_path(cache, part, artifacts.class_path(cache, part)) for part in PARTS
    }


def trained(cache: Path) -> bool:
    return not artifacts.missing(cache) and all(
        archive.is_file() for archive in archives(cache).values()
    )


def train(cache: Path) -> list[Path]:
    """Make the start-up caches that are missing, and return them.

    One process does it at a time: if another is at it, nothing is done and nothing returned. What
    is used meanwhile (ports, directories, a broker) is temporary and gone afterwards.
    """
    if artifacts.missing(cache):
        raise TrainingError(f"The Java parts are not complete in {cache}: run `make up` first.")
    with exclusive(cache / "java" / "aot" / ".lock", wait=False) as mine:
        if not mine:
            return []
        wanted = {part: path for part, path in archives(cache).items() if not path.is_file()}
        with _scratch(cache) as scratch:
            for part, archive in wanted.items():
                _TRAININGS[part](cache, scratch)
                _publish(scratch, archive)
        return list(wanted.values())


def _train_kafka(cache: Path, scratch: Path) -> None:
    with _broker(cache, scratch, record=True) as bootstrap:
        exercise.broker(bootstrap)


def _train_connect(cache: Path, scratch: Path) -> None:
    with _broker(cache, scratch, record=False) as bootstrap:
        port = _free_port()
        process = connect.prepare(
            home=scratch, cache=cache, port=port, kafka_bootstrap=bootstrap, aot=False
        )
        with _running(_recorded(process, scratch), lambda: connect.is_ready(port)):
            exercise.connect(port)


def _train_registry(cache: Path, scratch: Path) -> None:
    port, password = _free_port(), token_urlsafe()
    process = registry.describe(
        home=scratch, cache=cache, port=port, storage={}, passwords={PUBLISHER: password}, aot=False
    )
    with _running(_recorded(process, scratch), lambda: registry.is_ready(port)):
        exercise.registry(port, password)


_TRAININGS: dict[str, Callable[[Path, Path], None]] = {
    "kafka": _train_kafka,
    "connect": _train_connect,
    "registry": _train_registry,
}


@contextmanager
def _broker(cache: Path, scratch: Path, *, record: bool) -> Iterator[str]:
    node = kafka.Node("kafka", 1, _free_port(), _free_port())
    process = kafka.prepare(home=scratch, cache=cache, node=node, nodes=[node], aot=not record)
    if record:
        process = _recorded(process, scratch)
    with _running(process, lambda: kafka.is_ready(node.port)):
        yield f"{HOST}:{node.port}"


def _recorded(process: Process, scratch: Path) -> Process:
    return jvm.recording(process, scratch / f"{process.name}.aot")


@contextmanager
def _running(process: Process, is_ready: Callable[[], bool]) -> Iterator[None]:
    """Run the process until the block is left, and wait for its orderly end."""
    log = process.directory / "output.log"
    with log.open("wb") as output:
        child = subprocess.Popen(
            process.argv,
            cwd=process.directory,
            env={**os.environ, **process.env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until(
                f"{process.name} was not ready for its training",
                lambda: child.poll() is not None or is_ready(),
                timeout_s=READY_TIMEOUT_S,
            )
            if child.poll() is not None:
                raise TrainingError(f"{process.name} ended in its training: {_reason(log)}")
            yield
            child.terminate()
            child.wait(WRITE_TIMEOUT_S)
        except _GIVE_UP as error:
            raise TrainingError(f"The training of {process.name} was given up: {error}") from error
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()


@contextmanager
def _scratch(cache: Path) -> Iterator[Path]:
    """A directory for the time of the training, on the disk of the cache."""
    parent = cache / "java" / "aot"
    for abandoned in parent.glob(".training-*"):  # by a training that was killed
        shutil.rmtree(abandoned, ignore_errors=True)
    with ExitStack() as stack:
        try:
            name = tempfile.mkdtemp(prefix=".training-", dir=parent)
            stack.callback(shutil.rmtree, name, ignore_errors=True)
            yield Path(name)
        except OSError as error:
            raise TrainingError(
                f"Java's start-up caches could not be made in {parent} "
                f"({error.strerror or error}): everything works without them, only slower to start."
            ) from error


def _publish(scratch: Path, archive: Path) -> None:
    written = scratch / archive.name
    if not written.is_file():
        log = scratch / archive.stem / "output.log"
        raise TrainingError(f"{archive.stem} wrote no start-up cache: {_reason(log)}")
    archive.parent.mkdir(parents=True, exist_ok=True)
    written.rename(archive)


def _reason(log: Path) -> str:
    """The line of the log that most likely says what went wrong."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    complaints = [line for line in lines if "Exception:" in line or " ERROR " in line]
    return (complaints or lines or ["it printed nothing"])[-1]


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port
