"""Reconciliation: do outboxes, Kafka and inboxes hold the same messages, and if not, which are missing where?"""

from cdc.reconciliation.comparison import Comparison, Progress
from cdc.reconciliation.inboxes import ConsumerPlace
from cdc.reconciliation.outboxes import Outboxes, Window, open_outboxes
from cdc.reconciliation.report import WRONG, ConsumerReport, Kind, Named, TopicReport
from cdc.reconciliation.topic import Publisher, ReconcileRequest, reconcile

__all__ = [
    "WRONG",
    "Comparison",
    "ConsumerPlace",
    "ConsumerReport",
    "Kind",
    "Named",
    "Outboxes",
    "Progress",
    "Publisher",
    "ReconcileRequest",
    "TopicReport",
    "Window",
    "open_outboxes",
    "reconcile",
]
