"""Migrations of the analytics consumer's tables."""
