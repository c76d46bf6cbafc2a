"""Migrations of the canary's schema: an outbox and nothing else."""
