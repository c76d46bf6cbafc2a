"""Record the terminal that the README shows, `docs/terminal.svg`, with `make up` running."""

import os
import subprocess

from rich.console import Console
from rich.text import Text

from infra.settings import REPOSITORY

COLUMNS = 110
ORDER = '{"customer_id": "ada", "currency": "EUR", "lines": [{"sku": "book-1", "quantity": 2, "unit_price": "12.50"}]}'
COMMANDS = {
    "make up": 8,
    f"curl -s localhost:18080/v1/orders -d '{ORDER}'": 4,
    ".venv/bin/tailrace topics tail order.events --last 1": 24,
    "make demo ORDERS=500": 16,
    "make doctor": 8,
}
"""Commands of the README, and how many of their last lines are shown."""
FORMAT = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: arial; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""
"""The form of the file, without the fonts from the net that rich would have it ask for."""


def record() -> None:
    """Run the commands of the README and draw what they print."""
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    for command, lines in COMMANDS.items():
        console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
        output = _output(command)
        if len(output) > lines:
            console.print(Text("...", style="dim"))
        for line in output[-lines:]:
            console.print(line, markup=False)
        console.print()
    path = REPOSITORY / "docs" / "terminal.svg"
    path.write_text(
        console.export_svg(title="tailrace", code_format=FORMAT, unique_id="terminal"),
        encoding="utf-8",
    )


def _output(command: str) -> list[str]:
    done = subprocess.run(  # noqa: S602 - commands of this file
        command,
        shell=True,
        cwd=REPOSITORY,
        env=os.environ | {"COLUMNS": str(COLUMNS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return done.stdout.strip().splitlines()


if __name__ == "__main__":
    record()
