"""Semantic locks: a participant locks what a saga works on, and stashes what other sagas want with it."""
