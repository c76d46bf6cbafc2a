"""Tables without lines, which give up what can be spared where the terminal is narrow, and never a value."""

from collections.abc import Collection, Iterable, Sequence

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table

WIDE, NARROW = 3, 1  # gaps between columns
UNBOUNDED = 2**16


class FittingTable(Table):
    """Narrows gaps and breaks headings first; where the rest does not fit, its lines go on below.

    Args:
        wrap: Headings of columns whose cells may be broken between words.
        cut: Headings of columns whose cells may be cut.
    """

    def __init__(self, *, wrap: Collection[str], cut: Collection[str]) -> None:
        super().__init__(box=None, pad_edge=False)
        self._wrap = wrap
        self._cut = cut

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        widths, gap = self._fitted(console, options)
        self.padding = (0, gap, 0, 0)
        for column, width in zip(self.columns, widths, strict=True):
            column.width = width
        needed = sum(widths) + gap * (len(widths) - 1)
        yield from super().__rich_console__(
            console, options.update(width=max(options.max_width, needed))
        )

    def least_width(self, console: Console) -> int:
        """Return the width below which lines go on below."""
        least = [low for low, _ in self._bounds(console, console.options)]
        return sum(least) + NARROW * (len(least) - 1)

    def _fitted(self, console: Console, options: ConsoleOptions) -> tuple[list[int], int]:
        bounds = self._bounds(console, options)
        gaps = len(bounds) - 1
        # before a value is cut, gaps are narrowed
        uncut = sum(
            most if column.header in self._cut else least
            for column, (least, most) in zip(self.columns, bounds, strict=True)
        )
        gap = WIDE if uncut + WIDE * gaps <= options.max_width else NARROW
        widths = [least for least, _ in bounds]
        room = max(0, options.max_width - gap * gaps - sum(widths))
        wants = sorted((most - least, number) for number, (least, most) in enumerate(bounds))
        for behind, (wanted, number) in enumerate(wants):
            given = min(wanted, room // (len(wants) - behind))
            widths[number] += given
            room -= given
        return widths, gap

    def _bounds(self, console: Console, options: ConsoleOptions) -> list[tuple[int, int]]:
        """Return the least and the largest sensible width of each column."""
        wide = options.update(width=UNBOUNDED)

        def measured(cell: RenderableType) -> Measurement:
            return Measurement.get(console, wide, cell)

        bounds = []
        for column in self.columns:
            heading = measured(column.header if self.show_header else "")
            cells = [measured(cell) for cell in column.cells]
            most = max([heading.maximum, *(each.maximum for each in cells)])
            if column.header in self._cut:
                kept = [0]
            elif column.header in self._wrap:
                kept = [each.minimum for each in cells]
            else:
                kept = [each.maximum for each in cells]
            bounds.append((max(heading.minimum, *kept, 1), most))
        return bounds


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[RenderableType]],
    *,
    right: Collection[str] = (),
    wrap: Collection[str] = (),
    cut: Collection[str] = (),
) -> FittingTable:
    """Return rows below headings.

    Args:
        right: Headings of columns that are justified to the right, as numbers are.
        wrap: Those whose cells are broken between words where the terminal is narrow.
        cut: Those whose cells are cut there, as what is told elsewhere, too.
    """
    made = FittingTable(wrap=wrap, cut=cut)
    for heading in headings:
        made.add_column(
            heading,
            justify="right" if heading in right else "left",
            no_wrap=heading in cut,
            # of what is wrapped, it leaves out blanks that are too much at an end, and no more
            overflow="ellipsis" if heading in cut else "fold",
        )
    for row in rows:
        made.add_row(*row)
    return made
