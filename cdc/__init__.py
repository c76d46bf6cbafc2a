"""Everything between a Postgres commit and a Kafka record: outbox, migrations, connector, topics, canary."""
