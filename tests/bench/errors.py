"""What goes wrong in a benchmark, as a sentence."""


class BenchError(Exception):
    """A measurement failed; nothing of it counts."""
