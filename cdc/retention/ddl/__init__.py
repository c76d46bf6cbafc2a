"""The outbox's messages by day, as SQL that migrations run."""
