"""The relay's own schema: how far it has come, and which relay holds what."""
