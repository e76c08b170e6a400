# SPDX-License-Identifier: BSD-3-Clause
"""Makes an SVG of what a terminal shows, from the text of `tmux capture-pane -e -p`."""
import html
import re
import unicodedata

CELL_WIDTH, CELL_HEIGHT, FONT_SIZE, MARGIN = 8.4, 18, 14, 14
BACKGROUND, FOREGROUND, DIM = "#14181d", "#d5dae0", "#8a939e"
# Of SGR 30 to 37; 90 to 97 are drawn alike.
COLOURS = ["#5c6672", "#ff7b72", "#56d364", "#e3b341", "#79b8ff", "#d2a8ff", "#56d4dd", "#f0f3f6"]
ESCAPE = re.compile(r"\x1b\[([0-9;:]*)m|\x1b[()].|[\x0e\x0f]")
EIGHTHS = {character: 8 - i for i, character in enumerate("█▉▊▋▌▍▎▏")}


class Pen:
    """How the next characters look."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.colour, self.bold, self.dim, self.reverse = None, False, False, False

    def set(self, codes):
        numbers = [int(code or 0) for code in re.split("[;:]", codes)]
        while numbers:
            number = numbers.pop(0)
            if number == 0:
                self.reset()
            elif number in (1, 2, 7):
                setattr(self, {1: "bold", 2: "dim", 7: "reverse"}[number], True)
            elif number == 22:
                self.bold = self.dim = False
            elif number == 27:
                self.reverse = False
            elif 30 <= number <= 37 or 90 <= number <= 97:
                self.colour = COLOURS[number % 10]
            elif number in (38, 48):  # One of 256, or of all: none is used here.
                del numbers[: 2 if numbers[:1] == [5] else 4]
            elif number == 39:
                self.colour = None

    def look(self):
        return (self.colour or (DIM if self.dim else FOREGROUND), self.bold, self.reverse)


def width_of(character):
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def runs_of(line, pen):
    """(column, columns, text, look) of stretches that look alike."""
    column, begin, text, look = 0, 0, "", None
    at = 0
    while at < len(line):
        if escape := ESCAPE.match(line, at):
            if escape[1] is not None:
                pen.set(escape[1])
            at = escape.end()
            continue
        if look != pen.look():
            if text:
                yield begin, column - begin, text, look
            begin, text, look = column, "", pen.look()
        text += line[at]
        column += width_of(line[at])
        at += 1
    if text:
        yield begin, column - begin, text, look


def blocks(begin, text, top, colour):
    """Bars are drawn, because fonts differ in how blocks fit together."""
    for i, character in enumerate(text):
        if character in EIGHTHS:
            width = CELL_WIDTH * EIGHTHS[character] / 8
            x = MARGIN + (begin + i) * CELL_WIDTH
            yield (
                f'<rect x="{x:.1f}" y="{top + 2}" width="{width:.2f}" '
                f'height="{CELL_HEIGHT - 4}" fill="{colour}"/>'
            )


def parts_of(line, row, pen):
    top = MARGIN + row * CELL_HEIGHT
    for begin, columns, text, (colour, bold, reverse) in runs_of(line, pen):
        x, width = MARGIN + begin * CELL_WIDTH, columns * CELL_WIDTH
        if reverse:
            yield (
                f'<rect x="{x:.1f}" y="{top}" width="{width:.1f}" height="{CELL_HEIGHT}" '
                f'fill="{colour}"/>'
            )
            colour = BACKGROUND
        yield from blocks(begin, text, top, colour)
        # A blank at either end would be lost. Words are placed one by one: each begins in its
        # column, whatever font the viewer has.
        for word in re.finditer(r"\S+(?: \S+)*", "".join(" " if c in EIGHTHS else c for c in text)):
            at = begin + sum(map(width_of, text[: word.start()]))
            length = sum(map(width_of, word[0])) * CELL_WIDTH
            weight = ' font-weight="bold"' if bold else ""
            yield (
                f'<text x="{MARGIN + at * CELL_WIDTH:.1f}" y="{top + CELL_HEIGHT - 5}" '
                f'textLength="{length:.1f}" lengthAdjust="spacingAndGlyphs" fill="{colour}"'
                f"{weight}>{html.escape(word[0])}</text>"
            )


def svg_of(screen, title):
    """`screen`: lines with SGR sequences. `title`: for those who hear the picture."""
    lines = screen.rstrip("\n").split("\n")
    columns = max(
        sum(columns for _, columns, _, _ in runs_of(line, pen)) for pen in [Pen()] for line in lines
    )
    width, height = 2 * MARGIN + columns * CELL_WIDTH, 2 * MARGIN + len(lines) * CELL_HEIGHT
    pen = Pen()
    parts = [part for row, line in enumerate(lines) for part in parts_of(line, row, pen)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" '
            f'width="{width:.0f}" height="{height}" role="img" xml:space="preserve" '
            'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" '
            f'font-size="{FONT_SIZE}">',
            f"<title>{html.escape(title)}</title>",
            f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>',
            *parts,
            "</svg>\n",
        ]
    )
