"""Docker and compose, as this machine has them."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from infra.compose.parts import FILE
from infra.errors import TailraceError
from infra.repository import REPOSITORY
from infra.settings import Settings

ACCOUNT = 10001
"""Account of our containers when root starts them; otherwise they run as whoever does."""
ANSWER_S = 30.0
"""How long the engine may take to tell something; it takes a fraction of a second, unless it stands still."""
BUILT_FROM = "infra/compose/Dockerfile"


class EngineError(TailraceError):
    """The engine or compose is not there, or refuses."""


class EngineSilentError(TailraceError):
    """The engine is there, and does not answer."""

    def __init__(self) -> None:
        super().__init__(
            f"Docker has not answered for {ANSWER_S:g} s, so nothing is known of containers: see whether its engine "
            "stands still (`systemctl status docker`), and which one DOCKER_HOST names, then try again."
        )


@dataclass(frozen=True, slots=True)
class Container:
    """A container of the stack, as the engine has it."""

    id: str
    name: str  # of its service in the compose file
    state: str  # as the engine calls it: "running", "restarting", "paused", "exited", ...
    exit_code: int
    pid: int | None
    started_at: str  # RFC 3339
    restarts: int

    @property
    def is_running(self) -> bool:
        return self.state == "running"


class Engine:
    """Runs compose for one stack."""

    def __init__(self, settings: Settings) -> None:
        digest = hashlib.sha256(os.fsencode(settings.home)).hexdigest()[:8]
        self.project = f"tailrace-{digest}"
        self.image = f"tailrace:{digest}"
        user = f"{ACCOUNT}:{ACCOUNT}" if os.geteuid() == 0 else f"{os.geteuid()}:{os.getegid()}"
        self._environment = {
            **os.environ,
            **settings.environment(),
            "TAILRACE_IMAGE": self.image,
            "TAILRACE_CONTAINER_USER": user,
        }

    def require(self) -> None:
        """Refuse to go on without an engine and compose."""
        if shutil.which("docker") is None:
            raise EngineError(
                "There is no docker here, and containers are asked for: install Docker, or leave STACK=containers out "
                "to run the same stack as processes."
            )
        self._ask(
            ["docker", "info", "--format", "{{.ServerVersion}}"], "The engine does not answer"
        )
        _ = self._compose

    @cached_property
    def _compose(self) -> Sequence[str]:
        for command in (("docker", "compose"), ("docker-compose",)):
            if shutil.which(command[0]) is None:
                continue
            with contextlib.suppress(EngineError):
                self._ask([*command, "version"], "There is no compose")
                return command
        raise EngineError(
            "Docker is here, and compose is not: install its plugin (`docker compose`), or `docker-compose` 1.29."
        )

    def compose(self, *arguments: str) -> str:
        """Run compose on the stack, and return what it prints."""
        file = str(REPOSITORY / FILE)
        command = [*self._compose, "--project-name", self.project, "--file", file, *arguments]
        return self._run(command, f"compose {arguments[0]} failed")

    def build(self) -> None:
        self._run(
            ["docker", "build", "--quiet", "--file", BUILT_FROM, "--tag", self.image, "."],
            "Our image cannot be built",
        )

    def remove_image(self) -> None:
        subprocess.run(["docker", "rmi", self.image], capture_output=True, check=False)  # noqa: S607

    def containers(self) -> Mapping[str, Container]:
        """Return all containers of the stack by the name of their service, those that have ended included."""
        label = f"label=com.docker.compose.project={self.project}"
        ids = self._ask(["docker", "ps", "--all", "--quiet", "--filter", label], "No list").split()
        if not ids:
            return {}
        told = json.loads(self._ask(["docker", "inspect", *ids], "Containers are not shown"))
        return {each.name: each for each in map(_container, told)}

    def log(self, container: Container, *, lines: int) -> list[str]:
        command = ["docker", "logs", "--tail", str(lines), container.id]
        try:
            told = subprocess.run(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                check=False,
                timeout=ANSWER_S,
            )
        except subprocess.TimeoutExpired as error:
            raise EngineSilentError from error
        return told.stdout.splitlines()

    def follow(self, container: Container) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            ["docker", "logs", "--tail", "0", "--follow", container.id],  # noqa: S607
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )

    def _ask(self, command: Sequence[str], failure: str) -> str:
        """Run what changes nothing, and so takes no longer than the engine needs to answer."""
        return self._run(command, failure, timeout_s=ANSWER_S)

    def _run(self, command: Sequence[str], failure: str, *, timeout_s: float | None = None) -> str:
        try:
            result = subprocess.run(
                command,
                cwd=REPOSITORY,
                env=self._environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=timeout_s,
            )
        except subprocess.TimeoutExpired as error:
            raise EngineSilentError from error
        if result.returncode != 0:
            raise EngineError(f"{failure}: {_reason(result)}")
        return result.stdout


def _reason(result: "subprocess.CompletedProcess[str]") -> str:
    """Return the line that says why: what a step of a build complained of stands before what its builder says of it."""
    lines = [line.strip() for line in (result.stdout + result.stderr).splitlines() if line.strip()]
    complaints = [line for line in lines if "error" in line.lower()]
    return (complaints or lines or [f"exit {result.returncode}"])[-1]


def _container(told: Mapping[str, Any]) -> Container:
    labels, state = told["Config"]["Labels"], told["State"]
    return Container(
        id=str(told["Id"]),
        name=labels["com.docker.compose.service"],
        state=state["Status"],
        exit_code=state["ExitCode"],
        pid=state["Pid"] or None,
        started_at=state["StartedAt"],
        restarts=int(told["RestartCount"]),
    )


def secrets_account() -> tuple[int, int] | None:
    """Return whose the files with secrets are to be; None when they are ours already."""
    return (ACCOUNT, ACCOUNT) if os.geteuid() == 0 else None
