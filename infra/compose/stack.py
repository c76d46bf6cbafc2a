"""Starting and stopping the stack in containers."""

import threading
import time
from collections.abc import Mapping, Sequence
from functools import partial

from infra.compose.addresses import PREPARING
from infra.compose.engine import Container, Engine, EngineError
from infra.compose.handed import hand_out
from infra.compose.status import container_of, parts_of_containers, ready
from infra.drift.everything import require_declared
from infra.local import preflight
from infra.local.account import usual_umask
from infra.local.down import DownResult, PartDown
from infra.local.home import delete_home, exclusive, is_home, may_be_deleted, prepared
from infra.local.parts import Part
from infra.local.probe import wait_until
from infra.local.restart import Restarted
from infra.local.stages import Report, Stage, run_stages
from infra.local.up import UpResult
from infra.settings import Settings, SettingsError
from infra.shapes import BROKERS

READY_TIMEOUT_S = 120.0
LOOK_EVERY_S = 0.5


def up(settings: Settings, report: Report) -> UpResult:
    """Bring all containers up and prove that they carry a message; what runs already is left alone."""
    begin = time.monotonic()
    _require_fit(settings)
    preflight.check_machine(settings)
    engine = Engine(settings)
    engine.require()
    with usual_umask(), prepared(settings.home):
        before = {name for name, each in engine.containers().items() if each.is_running}
        # a port of the broker that it keeps to itself, and what has no container
        preflight.check_ports(settings, running=before | {"console", "metrics"})
        hand_out(settings)
        cancelled = threading.Event()
        seconds = run_stages(_stages(settings, engine, cancelled), report, cancelled)
        after = {name for name, each in engine.containers().items() if each.is_running}
    return UpResult(seconds, time.monotonic() - begin, sorted(after - before), training=False)


def _stages(settings: Settings, engine: Engine, cancelled: threading.Event) -> list[Stage]:
    # takes a second, while the first containers are starting already
    def canary() -> str:
        from infra import pipeline

        return f"commit to Kafka in {pipeline.send_canary(settings.deployment()) * 1000:.0f} ms"

    def groups() -> str:
        from infra.local.groups import wait_for_groups

        return wait_for_groups(settings, cancelled)

    def image() -> str:
        engine.build()
        return engine.image

    return [
        Stage("image", image),
        Stage("containers", partial(_start, engine), after=("image",)),
        Stage(
            "ready",
            partial(_wait, settings, engine, cancelled, parts_of_containers()),
            after=("containers",),
        ),
        Stage("groups", groups, after=("ready",)),
        Stage("canary", canary, after=("ready",)),
        Stage(
            "declared",
            lambda: require_declared(settings.deployment()),
            after=("canary", "groups"),
        ),
    ]


def _start(engine: Engine) -> str:
    """Start what does not run, each after what it waits for."""
    try:
        engine.compose("up", "--detach", "--no-build", "--remove-orphans")
    except EngineError:
        _are_prepared(engine, engine.containers())
        raise
    return ""


def _are_prepared(engine: Engine, found: Mapping[str, Container]) -> bool:
    """Tell whether those have ended that prepare something for others; one that failed ends the start."""
    for name in PREPARING:
        if name in found and found[name].state == "exited" and found[name].exit_code != 0:
            told = [line for line in engine.log(found[name], lines=20) if line.strip()]
            raise EngineError(
                f"The container {name} could not do its work: {told[-1] if told else 'it says nothing'} "
                f"(more with `tailrace logs {name}`)."
            )
    return all(name in found and found[name].state == "exited" for name in PREPARING)


def _wait(
    settings: Settings, engine: Engine, cancelled: threading.Event, parts: Sequence[Part]
) -> str:
    def all_ready() -> bool:
        found = engine.containers()
        return _are_prepared(engine, found) and all(ready(settings, part, found) for part in parts)

    wait_until(
        "not everything that was started does its work (see `tailrace status`)",
        all_ready,
        timeout_s=READY_TIMEOUT_S,
        interval_s=LOOK_EVERY_S,
        cancelled=cancelled,
    )
    return f"{len(parts)} parts"


def down(settings: Settings) -> DownResult:
    """Stop and remove the containers; the data stay in their volumes."""
    if not is_home(settings.home):
        return DownResult([], 0)
    engine = Engine(settings)
    engine.require()
    with exclusive(settings.home):
        return DownResult(_remove(engine), 0)


def reset(settings: Settings) -> None:
    """Remove containers, data, and the image."""
    if not may_be_deleted(settings.home):
        return
    engine = Engine(settings)
    engine.require()
    with exclusive(settings.home):
        _remove(engine, "--volumes")
        engine.remove_image()
        delete_home(settings.home)


def _remove(engine: Engine, *more: str) -> list[str]:
    running = [name for name, each in engine.containers().items() if each.is_running]
    engine.compose("down", "--remove-orphans", *more)
    return running


def take_down(settings: Settings, name: str, *, kill: bool) -> PartDown:
    """Stop the container of a part, which stays down until it is started again."""
    engine, container, together = _with_others(settings, name)
    with exclusive(settings.home):
        engine.compose("kill" if kill else "stop", container)
    return PartDown(container, _names(together))


def restart(settings: Settings, name: str) -> Restarted:
    """Restart the container of a part, and wait until all that runs in it does its work."""
    begin = time.monotonic()
    engine, container, together = _with_others(settings, name)
    with exclusive(settings.home):
        engine.compose("restart", container)
        _wait(settings, engine, threading.Event(), together)
    return Restarted(time.monotonic() - begin, _names(together))


def _with_others(settings: Settings, name: str) -> tuple[Engine, str, list[Part]]:
    engine = Engine(settings)
    engine.require()
    parts = {part.name: part for part in parts_of_containers()}
    if name not in parts or not engine.containers():
        raise EngineError(
            f"There is no container of {name} here: run `make up STACK=containers` first."
        )
    container = container_of(parts[name])
    return engine, container, [each for each in parts.values() if container_of(each) == container]


def _names(parts: Sequence[Part]) -> tuple[str, ...]:
    return tuple(part.name for part in parts)


def _require_fit(settings: Settings) -> None:
    """Refuse what containers do not do, and the home of the other kind of stack."""
    if settings.shape != "single" or settings.publisher != "cdc":
        raise SettingsError(
            "In containers there is one broker, and Debezium publishes: leave out PROFILE=cluster and PUBLISHER=relay, "
            "or STACK=containers."
        )
    if any((settings.home / name).exists() for name in (*BROKERS["single"], "postgres")):
        raise SettingsError(
            f"{settings.home} is the home of a stack of processes: choose another with TAILRACE_HOME for containers."
        )
