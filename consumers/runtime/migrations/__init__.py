"""Migrations of the tables that every consumer has, in the schema of each service that consumes."""
