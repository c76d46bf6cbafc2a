"""Where the code is that runs."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
