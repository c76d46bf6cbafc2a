"""The reference `handwritten`: the same two steps as a good engineer writes them without a kit.

FastAPI and aiohttp's client for HTTP, psycopg with rows by hand, an outbox that a short poller empties, aiokafka's
`getmany` with a transaction for all that one call brings, JSON. It has what ours has of durability: acks from all
replicas, synchronous commits, an inbox in the transaction of the effect. It has no schemas, no order within a key where
two pollers run, no parking, no positions in Postgres, no trace of what led to what.
"""
