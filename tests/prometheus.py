"""A real Prometheus, from Debian's package, that scrapes a stack, and an exporter of that stack for it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.metrics.server import HOST
from infra.observability.alerts import Thresholds, rules
from infra.observability.render import as_yaml
from infra.observability.scraping import configuration
from infra.settings import REPOSITORY
from tests import debian, plain_http
from tests.processes import ServerProcess, answers
from tests.services import free_port
from tests.stack import RunningStack

PACKAGE = "prometheus"
EVERY_S = 3
Labels = dict[str, str]


class Exporter(ServerProcess):
    """The exporter of a stack, in more of a hurry than usual."""

    def __init__(self, stack: RunningStack, directory: Path) -> None:
        port = free_port()
        self.address = f"{HOST}:{port}"
        super().__init__(
            [
                *(sys.executable, "-m", "infra.cli", "metrics", "serve", "--port", str(port)),
                *("--parts-every", "2", "--canary-every", "2", "--checks-every", "4"),
            ],
            env=stack.environment | {"PYTHONPATH": str(REPOSITORY)},
            directory=directory,
            is_ready=answers(f"http://{self.address}/health"),
        )


class Prometheus(ServerProcess):
    """Prometheus on loopback, which asks every few seconds."""

    def __init__(self, directory: Path, exporter: str) -> None:
        program = debian.program("prometheus", package=PACKAGE)
        port = free_port()
        self.url = f"http://{HOST}:{port}"
        self._rules = directory / "rules" / "tailrace.yml"
        self._rules.parent.mkdir()
        scraped = configuration(exporter, every_s=EVERY_S, discover_s=EVERY_S)
        (directory / "prometheus.yml").write_text(as_yaml(scraped))
        super().__init__(
            [
                *(str(program.path), "--config.file=prometheus.yml", "--storage.tsdb.path=data"),
                *(f"--web.listen-address={HOST}:{port}", "--web.enable-lifecycle"),
            ],
            env=program.env,
            directory=directory,
            is_ready=answers(f"{self.url}/-/ready"),
        )

    def warn(self, at: Thresholds) -> None:
        """Have it tell of what is beyond thresholds."""
        self._rules.write_text(as_yaml(rules(at)))
        assert plain_http.post(f"{self.url}/-/reload").is_success

    def ask(self, expression: str) -> list[tuple[Labels, float]]:
        """Return the values of an expression, with their labels."""
        answer = plain_http.get(f"{self.url}/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", answer
        return [(each["metric"], float(each["value"][1])) for each in answer["data"]["result"]]

    def firing(self) -> list[Labels]:
        """Return the labels of each alert that fires."""
        told: list[dict[str, Any]] = plain_http.get(f"{self.url}/api/v1/alerts").json()["data"][
            "alerts"
        ]
        return [each["labels"] for each in told if each["state"] == "firing"]


@contextmanager
def watching(stack: RunningStack, directory: Path) -> Iterator[tuple[Prometheus, Exporter]]:
    for each in ("exporter", "prometheus"):
        (directory / each).mkdir()
    exporter = Exporter(stack, directory / "exporter")
    with exporter, Prometheus(directory / "prometheus", exporter.address) as prometheus:
        yield prometheus, exporter


def promtool(*arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    program = debian.program("promtool", package=PACKAGE)
    return subprocess.run(
        [str(program.path), *arguments],
        env=program.env,
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
