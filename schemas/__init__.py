"""The contracts between services: Avro schemas, topic catalogue, message classes and the codec that joins them."""
