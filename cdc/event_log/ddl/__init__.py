"""The tables of the event log beside the log itself, as SQL that migrations run."""
