"""Migrations of the inventory consumer's tables."""
