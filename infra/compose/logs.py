"""The log of a container, or of one part of those that share one."""

from collections.abc import Iterator

from infra.compose.addresses import WORKERS
from infra.compose.engine import Engine
from infra.compose.status import parts_of_containers
from infra.errors import TailraceError
from infra.local.logs import SEARCHED_LINES, lines_of
from infra.settings import Settings


class ContainerLog:
    """What a part has written since its container was made."""

    def __init__(self, settings: Settings, part: str) -> None:
        self._engine = Engine(settings)
        self._engine.require()
        shares = any(each.name == part and each.may_share for each in parts_of_containers())
        found = self._engine.containers()
        name = WORKERS if shares else part
        if name not in found:
            raise TailraceError(
                f"There is no container of {part} here: run `make up STACK=containers` first."
            )
        self._container = found[name]
        self._concerns = lines_of(part) if shares else (lambda _line: True)
        self._searched = SEARCHED_LINES if shares else 0

    def last(self, number: int) -> list[str]:
        lines = self._engine.log(self._container, lines=max(number, self._searched))
        return [line for line in lines if self._concerns(line)][-number:]

    def follow(self) -> Iterator[str]:
        """Yield the lines that are appended, with their ends."""
        process = self._engine.follow(self._container)
        try:
            yield from filter(self._concerns, process.stdout or ())
        finally:
            process.terminate()
            process.wait()
