"""The demonstration: orders, made up or from a file, sent over HTTP and followed to their end in Kafka."""
