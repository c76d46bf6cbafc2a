"""The reference `faststream_outbox`: the same services on libraries, each used as its authors' pages on tuning say.

FastAPI and httpx for HTTP, SQLAlchemy on asyncpg, faststream-outbox for the outbox and its relay, FastStream for Kafka:
a transaction a message, with an inbox in it. The relay is woken by NOTIFY, works in as many tasks as it has connections
and deletes what it has sent by the batch; workers take partitions side by side and acknowledge after the commit.
"""
