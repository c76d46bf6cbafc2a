"""Faults in every part of a stack under a load of orders, and the proof that no effect was lost or repeated."""
