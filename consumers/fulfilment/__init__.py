"""Fulfilment: orchestrates what has to happen for an order, by commands to those who can do it."""
