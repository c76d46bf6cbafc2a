"""The embedded stack: every part as a plain process on this machine, no containers."""
