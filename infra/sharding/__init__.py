"""Changing by how many connectors a database is captured, while messages flow."""
