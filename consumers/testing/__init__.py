"""A test kit for handlers: the runtime as it is, without Kafka and the registry, in memory or on a Postgres schema.

`scenario` gives, when and then; `memory` and `postgres` are the databases that it runs on; `faults` are what a message
may meet on its way, and `torment` lets handlers meet them all. Nothing of what runs in earnest knows of it.
"""
