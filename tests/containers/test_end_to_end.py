"""The end-to-end tests of the stack of processes, on the one in containers."""

from tests.e2e.test_fulfilment import (
    test_cancellations_cross_whatever_is_under_way as test_cancellations_cross_whatever_is_under_way,
)
from tests.e2e.test_fulfilment import (
    test_each_order_ends_in_its_way_and_what_was_done_for_it_is_undone as test_each_order_ends_in_its_way,
)
from tests.e2e.test_order_flow import (
    test_an_order_is_paid_and_confirmed as test_an_order_is_paid_and_confirmed,
)
from tests.e2e.test_order_flow import (
    test_an_order_whose_card_is_declined_is_cancelled_with_the_reason as test_a_declined_card_cancels,
)
from tests.e2e.test_order_flow import (
    test_every_event_of_an_order_is_kept_in_version_order as test_every_event_is_kept_in_version_order,
)
from tests.e2e.test_order_flow import (
    test_many_orders_each_have_one_effect_everywhere as test_many_orders_each_have_one_effect,
)
from tests.e2e.test_order_flow import (
    test_one_trace_and_one_correlation_run_from_the_request_to_the_last_event as test_one_trace_runs_through,
)
from tests.e2e.test_order_flow import (
    test_records_can_be_read_decoded_with_their_headers as test_records_can_be_read_decoded,
)
from tests.e2e.test_redelivery import (
    test_redelivering_whole_topics_to_every_worker_changes_no_effect as test_redelivery_changes_no_effect,
)

__all__ = [
    "test_a_declined_card_cancels",
    "test_an_order_is_paid_and_confirmed",
    "test_cancellations_cross_whatever_is_under_way",
    "test_each_order_ends_in_its_way",
    "test_every_event_is_kept_in_version_order",
    "test_many_orders_each_have_one_effect",
    "test_one_trace_runs_through",
    "test_records_can_be_read_decoded",
    "test_redelivery_changes_no_effect",
]
