"""What people do about parked messages: find them, look into them, and have them retried, edited or skipped.

Everything here works on one service's schema, over a connection of the service's role. The row of the sequence is the
lock, as it is for the worker; what is done is written to `parked_action` in the transaction that does it.
"""
