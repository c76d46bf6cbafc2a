"""Webhooks: endpoints of others that are told of events by HTTP, and what became of each delivery."""
