"""The benchmark `formats`: messages of ours as JSON, Avro and protobuf."""
