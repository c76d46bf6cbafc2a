"""From records as Kafka delivers them to records as a comparison keeps them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from cdc.envelope import moment_of, rfc3339
from cdc.kafka_record import KafkaRecord
from cdc.reconciliation.fingerprints import fingerprint
from cdc.reconciliation.outboxes import Window
from cdc.reconciliation.spool import Spool, SpooledRecord

ID_LENGTH = 36
MOST_DIGITS = 18  # of any 64-bit number; rows have fewer


@dataclass(frozen=True, slots=True)
class TimeBounds:
    """A window as it compares with the header `ce_time`, which has the time of the row in digits that sort."""

    since: bytes | None
    until: bytes | None

    @classmethod
    def of(cls, window: Window) -> "TimeBounds":
        return cls(_digits(window.since), _digits(window.until))

    def hold(self, record: KafkaRecord, time: bytes | None) -> bool:
        """Tell whether a record is in the window; one without a time of its own is judged by when it was recorded."""
        if self.since is None and self.until is None:
            return True
        moment = time or _digits(record.recorded_at) or b""
        return (self.since is None or moment >= self.since) and (
            self.until is None or moment < self.until
        )


def spooled(
    records: Iterable[KafkaRecord], bounds: TimeBounds, spool: Spool
) -> Iterator[SpooledRecord]:
    """Yield the records that are in the window; those that no outbox can have sent become findings.

    Args:
        records: Records of Kafka.
        bounds: The window.
        spool: Where findings and the numbers of types are kept.
    """
    for record in records:
        headers = dict(record.headers)
        if not bounds.hold(record, headers.get("ce_time")):
            continue
        message_id = id_of(headers.get("ce_id"))
        if message_id is None:
            place = f"{record.topic}/{record.partition}/{record.offset}"
            spool.find("foreign", None, f"{place} has no message id in its header ce_id")
            continue
        expires_at = moment_of(headers.get("expires_at"))
        yield SpooledRecord(
            message_id,
            record.partition,
            record.offset,
            spool.type_number(headers.get("ce_type") or b""),
            version_of(headers.get("aggregate_version")),
            *fingerprint(record.key, record.value, record.headers),
            expires_at.timestamp() if expires_at else None,
        )


def id_of(header: bytes | None) -> bytes | None:
    """Return the 16 bytes of an id as it stands in a header; None when there is none."""
    if header is None or len(header) != ID_LENGTH:
        return None
    try:
        found = bytes.fromhex(header.replace(b"-", b"").decode())
    except ValueError:
        return None
    return found if len(found) == 16 else None


def version_of(header: bytes | None) -> int | None:
    """Return the version of an aggregate as it stands in a header; None when that is none that a row could have."""
    if header is None or len(header) > MOST_DIGITS or not header.isdigit():
        return None
    return int(header)


def _digits(moment: datetime | None) -> bytes | None:
    return rfc3339(moment) if moment else None
