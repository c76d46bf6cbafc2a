"""Migrations of the tables of loyalty."""
