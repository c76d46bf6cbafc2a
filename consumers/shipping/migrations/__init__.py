"""Migrations of the shipping consumer's tables."""
