"""The relay: the publisher that needs no Debezium. It polls the outboxes and writes what the connector would write.

How far it has come is told by database snapshots instead of a number, so that a transaction which commits late is
neither missed nor overtaken: see `docs/decisions/0015-relay-by-snapshots.md`.
"""
