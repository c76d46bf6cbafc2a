"""The event log: reading back what happened to an aggregate, and what state that leads to.

The log is the outbox's own table `outbox_event`, so there is nothing that it could be out of step with.
"""

from cdc.event_log.events import BrokenLogError, HoleError, LoggedEvent, history
from cdc.event_log.fold import AsOf, Fold, State
from cdc.event_log.rehydrate import EventLog
from cdc.event_log.snapshots import Snapshots

__all__ = [
    "AsOf",
    "BrokenLogError",
    "EventLog",
    "Fold",
    "HoleError",
    "LoggedEvent",
    "Snapshots",
    "State",
    "history",
]
