"""Migrations of the orders consumer's tables."""
