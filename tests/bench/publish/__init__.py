"""The benchmark `publish`: what an outbox costs the writer, and how soon and how fast it becomes records in Kafka."""
