"""Calls to other services: bounded in time and number, repeated where that is safe, left out where it is in vain."""
