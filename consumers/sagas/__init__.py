"""Sagas: what has to happen in several services, step by step, and is undone as a whole when it cannot be finished."""
