"""Correlation, causation and trace context."""

from uuid import UUID

import pytest

from cdc.context import TRACE_CONTEXT, MessageContext, next_traceparent

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


def test_the_next_span_stays_in_the_trace_and_keeps_its_flags() -> None:
    version, trace, span, flags = next_traceparent(PARENT).split("-")
    assert (version, trace, flags) == ("00", "0af7651916cd43dd8448eb211c80319c", "00")
    assert span != "b7ad6b7169203331"


@pytest.mark.parametrize(
    "broken", [None, "", "rubbish", PARENT.upper(), "00-" + "0" * 32 + "-b7ad6b7169203331-01"]
)
def test_a_new_trace_begins_where_there_is_none(broken: str | None) -> None:
    started = next_traceparent(broken)
    assert TRACE_CONTEXT.fullmatch(started)
    assert "0af7651916cd43dd8448eb211c80319c" not in started


def test_the_rest_of_the_context_is_kept() -> None:
    context = MessageContext(correlation_id=UUID(int=1), causation_id=UUID(int=2))
    following = context.next_span()
    assert (following.correlation_id, following.causation_id) == (UUID(int=1), UUID(int=2))
