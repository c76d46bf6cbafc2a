"""Migrations: the record of replays into live consumers, in the schema of each service that consumes."""
