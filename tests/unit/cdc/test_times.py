"""Times at the edges of what Postgres, Python and a header can hold."""

from datetime import UTC, datetime, timedelta, timezone
from struct import pack

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.pq import Format

from cdc.context import MessageContext
from cdc.envelope import moment_of, rfc3339
from cdc.ids import new_id
from cdc.outbox import Outbox
from cdc.times import EARLIEST, LATEST, reading_nearest, require_time
from consumers.testing.schemas import codec_of_all
from schemas.messages.canary import CanaryEmitted

OID = psycopg.adapters.types["timestamptz"].oid
HOUR = timedelta(hours=1)
ZONES = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)


@given(st.datetimes(timezones=ZONES))
def test_a_time_is_refused_or_comes_back_from_its_header(moment: datetime) -> None:
    try:
        require_time("it", moment)
    except ValueError:
        assert min(moment.year - 1, 9999 - moment.year) == 0
    else:
        assert len(rfc3339(moment)) == len("0044-03-15T00:00:00.000000Z")
        assert moment_of(rfc3339(moment)) == moment


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2030, 1, 1),  # noqa: DTZ001 - on purpose
        datetime.max.replace(tzinfo=timezone(-HOUR)),
        datetime.min.replace(tzinfo=timezone(HOUR)),
    ],
)
def test_what_the_outbox_would_refuse_is_refused_before(moment: datetime) -> None:
    sign = CanaryEmitted(canary_id=new_id(), emitted_at=datetime.now(UTC))
    context = MessageContext(correlation_id=new_id())
    with pytest.raises(ValueError, match=r"^expires_at is .*(time zone|years 1 to 9999)"):
        Outbox(codec_of_all()).outgoing(sign, key="k", context=context, expires_at=moment)


@pytest.mark.parametrize(
    "header", [b"9999-12-31T23:59:59-01:00", b"0001-01-01T00:00:00+01:00", b"2030-01-01T00:00:00"]
)
def test_a_header_that_no_database_of_ours_could_give_back_tells_no_time(header: bytes) -> None:
    assert moment_of(header) is None


@pytest.mark.parametrize(
    ("text", "number", "read"),
    [
        (b"infinity", 2**63 - 1, LATEST),
        (b"-infinity", -(2**63), EARLIEST),
        (b"10000-01-01 00:00:00+00", 252_455_616_000_000_000, LATEST),
        (b"9999-12-31 23:59:59.999999+00", 252_455_615_999_999_999, LATEST),
        (b"0001-01-01 00:00:00+00", -63_082_281_600_000_000, EARLIEST),
        (b"0001-12-31 23:59:59.999999+00 BC", -63_082_281_600_000_001, EARLIEST),
        (b"0044-03-15 00:00:00+00 BC", -64_500_000_000_000_000, EARLIEST),
        (b"2000-01-01 00:00:00+00", 0, datetime(2000, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_time_that_python_does_not_have_is_read_as_the_nearest(
    text: bytes, number: int, read: datetime
) -> None:
    for data, form in ((text, Format.TEXT), (pack("!q", number), Format.BINARY)):
        loader = reading_nearest().get_loader(OID, form)
        assert loader
        assert loader(OID).load(data) == read
