"""`python -m infra.cli` is `tailrace`."""

from infra.cli import main

main()
