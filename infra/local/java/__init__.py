"""The Java parts of the embedded stack: locked artifacts, the JVM's command line, Kafka, Connect, the registry."""
