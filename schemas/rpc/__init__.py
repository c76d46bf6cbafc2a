"""Classes of the protos, made by the pinned compiler: never edited, see `infra/protobuf.py`."""
