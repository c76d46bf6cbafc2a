"""Tables of sagas, made in the schema of each service that declares `has_sagas`."""
