"""A stack in containers under test, steered like one of processes."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

from infra.compose import stack as containers
from infra.compose.engine import Container, Engine
from infra.compose.status import container_of, parts_of_containers, status
from infra.local.parts import Part
from infra.local.probe import wait_until
from infra.local.status import PartStatus
from infra.settings import Settings
from tests.stack import RunningStack, own_settings

READY_TIMEOUT_S = 120.0


def containers_settings(home: Path) -> Settings:
    return own_settings(home, stack="containers")


class ContainerStack(RunningStack):
    """A running stack whose parts are containers; those that share one are stopped and killed together."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.engine = Engine(settings)
        self.engine.require()

    def container(self, part: str) -> Container:
        """Return the container of a part."""
        return self.engine.containers()[container_of(_part(part))]

    def status(self) -> dict[str, PartStatus]:
        return {each.name: each for each in status(self.settings)}

    def is_running(self) -> bool:
        return all(each.is_running for each in self.status().values())

    def is_untouched(self) -> bool:
        return False

    def mend(self) -> None:
        self.cli("up")

    def kill(self, part: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Kill what runs in a part's container from outside of it, as nothing else makes the engine start it again."""
        container = self.container(part)
        assert container.pid is not None, f"{part} is not running"
        self.docker(
            *("run", "--rm", "--pid=host", "--user=0", "--network=none", self.engine.image),
            *("sh", "-c", f"kill -{number.value} {container.pid}"),
        )
        return container.pid

    def stop(self, part: str) -> None:
        containers.take_down(self.settings, part, kill=False)

    def start(self, part: str) -> None:
        self.engine.compose("start", container_of(_part(part)))
        self.wait_ready(part)

    def wait_ready(self, part: str) -> None:
        wait_until(
            f"{part} is not ready",
            lambda: self.status()[part].is_running,
            timeout_s=READY_TIMEOUT_S,
            interval_s=0.5,
        )

    def log(self, part: str) -> str:
        return "\n".join(self.engine.log(self.container(part), lines=100_000))

    def troubles(self) -> str:
        found = self.engine.containers()
        return "\n".join(
            f"{name} is {each.state} ({each.exit_code}), restarted {each.restarts} times; its log ends:\n    "
            + "\n    ".join(self.engine.log(each, lines=15))
            for name, each in found.items()
            if each.restarts or each.state not in {"running", "exited"} or each.exit_code
        )

    def inspect(self, container: Container) -> dict[str, Any]:
        told: list[dict[str, Any]] = json.loads(self.docker("inspect", container.id))
        return told[0]

    def docker(self, *arguments: str) -> str:
        result = subprocess.run(
            ["docker", *arguments], capture_output=True, text=True, check=False, timeout=120
        )
        assert result.returncode == 0, f"docker {arguments[0]}: {result.stderr}"
        return result.stdout

    def delete(self) -> None:
        containers.reset(self.settings)


def _part(name: str) -> Part:
    return next(part for part in parts_of_containers() if part.name == name)
