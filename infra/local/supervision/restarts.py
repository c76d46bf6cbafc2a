"""A remote interface loaded into supervisord: counts how often each process was started again by itself."""

from collections import Counter

from supervisor import events
from supervisor.states import ProcessStates

# after which a start is a restart; a start that somebody asked for comes from STOPPED or FATAL
_ENDED_BY_ITSELF = frozenset({ProcessStates.EXITED, ProcessStates.BACKOFF})


class Restarts:
    """The namespace `tailrace` of supervisord's XML-RPC interface."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        events.subscribe(events.ProcessStateStartingEvent, self._count)

    def _count(self, event: events.ProcessStateStartingEvent) -> None:
        if event.from_state in _ENDED_BY_ITSELF:
            self._counts[event.process.config.name] += 1

    def getRestarts(self) -> dict[str, int]:  # noqa: N802 - supervisor's remote methods are camelCase
        """Return restarts by program since supervisord was started."""
        return dict(self._counts)


def make_restarts(_supervisord: object) -> Restarts:
    """Called by supervisord while it reads its configuration."""
    return Restarts()
