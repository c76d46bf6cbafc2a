"""Migrations of the payments consumer's tables."""
