"""Contracts of messages: who reads what, what each version changed, and what a change would break."""
