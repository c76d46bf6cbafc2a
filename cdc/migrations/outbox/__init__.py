"""Migrations of the tables that every outbox has, in the schema of each service."""
