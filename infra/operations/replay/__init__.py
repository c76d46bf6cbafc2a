"""Replaying past messages: into a sandbox, to a topic or to a live consumer, begun or resumed."""
