"""Draw the output of a terminal as an SVG that replays it."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

COLUMNS = 110
FONT_SIZE = 14
LINE_HEIGHT = 20
CHARACTER_WIDTH = 8.43  # Of most monospaced fonts at this size.
PADDING = 16
STYLE = f"""
text {{ font: {FONT_SIZE}px ui-monospace, Menlo, Consolas, monospace; fill: #c9d1d9; }}
.typed {{ fill: #7ee787; font-weight: bold; }}
@media (prefers-reduced-motion: no-preference) {{
  text {{ animation: print 1ms backwards; }}
  @keyframes print {{ from {{ visibility: hidden; }} }}
}}
"""


@dataclass(frozen=True)
class Line:
    """One line of a terminal, `seconds` after the recording began."""

    seconds: float
    text: str

    @property
    def typed(self) -> bool:
        """Whether this is a command, not output."""
        return self.text.startswith("$ ")


def drawing(lines: list[Line]) -> str:
    """Return the SVG. Each line appears when it was printed; without animations, all are shown."""
    rows = [row for line in lines for row in wrapped(line)]
    width = round(COLUMNS * CHARACTER_WIDTH + 2 * PADDING)
    height = len(rows) * LINE_HEIGHT + 2 * PADDING
    texts = "\n".join(
        f'<text x="{PADDING}" y="{PADDING + LINE_HEIGHT * number + FONT_SIZE}" xml:space="preserve"'
        f' style="animation-delay: {row.seconds:.2f}s"{' class="typed"' if row.typed else ""}>'
        f"{escape(row.text)}</text>"
        for number, row in enumerate(rows)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">\n'
        f"<style>{STYLE}</style>\n"
        f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>\n{texts}\n</svg>\n'
    )


def wrapped(line: Line) -> Iterator[Line]:
    """Yield the rows that a line takes."""
    for row in textwrap.wrap(line.text, COLUMNS, subsequent_indent="  ") or [""]:
        yield Line(line.seconds, row)
