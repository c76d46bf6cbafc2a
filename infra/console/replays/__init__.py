"""Replays into sandboxes: asked for, watched, and what came of them held against what is live."""
