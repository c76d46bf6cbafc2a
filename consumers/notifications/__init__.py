"""Notifications: writes to people about what happened to them, and keeps what was written in a mailbox."""
