"""Traces: what happened to a request, in every service, as spans of one trace, waits included.

Which trace something belongs to travels in `cdc/context.py`, recorded or not. What is recorded leaves the process by
`export`, which is imported only where traces are recorded.
"""
