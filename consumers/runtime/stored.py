"""Records as rows of tables keep them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from cdc.kafka_record import KafkaRecord
from consumers.runtime.delivery import Record
from consumers.runtime.failures import escaped

EARLIEST_MS, LATEST_MS = -62_135_510_400_000, 253_402_214_399_999
"""A day inside the years 1 to 9999: what a record says of its time must be storable, and readable in any time zone."""


def record_columns(record: Record) -> dict[str, Any]:
    """Return a record as columns of a row."""
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "recorded_at": _time(record.timestamp),
        "key": record.key,
        "value": record.value,
        "header_names": [escaped(name) for name, _ in record.headers],
        "header_values": [value for _, value in record.headers],
    }


def stored_record(  # noqa: PLR0913, PLR0917 - the columns of a row
    topic: str,
    partition: int,
    offset: int,
    recorded_at: datetime,
    key: bytes | None,
    value: bytes | None,
    header_names: list[str],
    header_values: list[bytes | None],
) -> KafkaRecord:
    """Return the record that a row keeps."""
    return KafkaRecord(
        topic=topic,
        partition=partition,
        offset=offset,
        timestamp=round(recorded_at.timestamp() * 1000),
        key=key,
        value=value,
        headers=list(zip(header_names, header_values, strict=True)),
    )


def _time(milliseconds: int) -> datetime:
    within = min(max(milliseconds, EARLIEST_MS), LATEST_MS)
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=within)
