"""Outboxes: what waits in them and for how long, who publishes it, the slot, and a canary to send through."""
