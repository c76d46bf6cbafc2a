"""Logs as `key=value` lines on standard error, one per event."""

import atexit
import json
import logging
import re
import sys
from datetime import UTC, datetime

from cdc.speaker import speaker
from cdc.text import printable
from cdc.thinning import Thinning

_BARE = re.compile(r"[^\s\"=\\]+")


class FieldLogger:
    """Logs what happened in a few words that never differ, and in fields what differs.

    Args:
        name: Name of the logger: that of the module.
    """

    def __init__(self, name: str) -> None:
        self._log = logging.getLogger(name)

    def info(self, event: str, **fields: object) -> None:
        """Log what goes as it should."""
        self._log.info(event, extra={"fields": fields})

    def warning(self, event: str, **fields: object) -> None:
        """Log what goes wrong and may pass."""
        self._log.warning(event, extra={"fields": fields})

    def error(self, event: str, **fields: object) -> None:
        """Log what somebody has to see to."""
        self._log.error(event, extra={"fields": fields})

    def exception(self, event: str, **fields: object) -> None:
        """Log an unexpected error, with its traceback."""
        self._log.exception(event, extra={"fields": fields})


class KeyValueFormatter(logging.Formatter):
    """Formats a record as `time= level= service= event=` and the `fields` given in `extra`.

    Args:
        service: Name that a line carries, where no other service is speaking.
    """

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, followed by the traceback when there is one."""
        fields: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": speaker.get(self._service),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        line = " ".join(f"{key}={_quoted(str(value))}" for key, value in fields.items())
        if not record.exc_info:
            return line
        traceback = self.formatException(record.exc_info).split("\n")
        return "\n".join((line, *map(printable, traceback)))


def configure(service: str) -> None:
    """Send everything that is logged in this process to standard error, but for repetitions, which are counted.

    Args:
        service: Name that a line carries, where no other service is speaking.
    """
    handler = logging.StreamHandler(sys.stderr)
    thinning = Thinning()
    handler.addFilter(thinning)
    atexit.register(thinning.tell)
    handler.setFormatter(KeyValueFormatter(service))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for chatty in ("httpx2", "httpcore2", "uvicorn.error", "psycopg.pool"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _quoted(value: str) -> str:
    """Quote what would break the line apart or forge a second one."""
    return value if _BARE.fullmatch(value) and value.isprintable() else json.dumps(value)
