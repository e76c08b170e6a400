#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The picture of a terminal: every text in its column, colours, bars, and nothing that is markup."""
import pathlib
import re
import sys
import unittest
import xml.etree.ElementTree as xml

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "scripts/lib"))
from terminal_picture import BACKGROUND, CELL_WIDTH, COLOURS, DIM, FOREGROUND, MARGIN, svg_of

SVG = "{http://www.w3.org/2000/svg}"


def column_of(element):
    return round((float(element.get("x")) - MARGIN) / CELL_WIDTH, 2)


def texts(picture):
    """(column, text, colour) in order."""
    return [
        (column_of(one), one.text, one.get("fill"))
        for one in xml.fromstring(picture).iter(f"{SVG}text")
    ]


class Picture(unittest.TestCase):
    def test_texts_begin_in_their_columns(self):
        self.assertEqual(
            texts(svg_of("ab  c\n\n   d e\n", "t")),
            [(0, "ab", FOREGROUND), (4, "c", FOREGROUND), (3, "d e", FOREGROUND)],
        )

    def test_colours_go_on_until_they_are_changed(self):
        screen = "\x1b[1;32mgood\x1b[0m x\x1b[31mbad\nstill\x1b[39m\x1b[2mdim\x1b(B\x1b[m end"
        self.assertEqual(
            texts(svg_of(screen, "t")),
            [
                (0, "good", COLOURS[2]),
                (5, "x", FOREGROUND),
                (6, "bad", COLOURS[1]),
                (0, "still", COLOURS[1]),
                (5, "dim", DIM),
                (9, "end", FOREGROUND),
            ],
        )

    def test_a_title_is_dark_on_light(self):
        picture = xml.fromstring(svg_of("\x1b[7m AB \x1b[0m", "t"))
        bar = list(picture.iter(f"{SVG}rect"))[1]
        self.assertEqual((column_of(bar), bar.get("fill")), (0, FOREGROUND))
        self.assertAlmostEqual(float(bar.get("width")), 4 * CELL_WIDTH, 1)
        self.assertEqual(next(picture.iter(f"{SVG}text")).get("fill"), BACKGROUND)

    def test_bars_are_drawn(self):
        picture = xml.fromstring(svg_of("x ██▌ 63%", "t"))
        bars = list(picture.iter(f"{SVG}rect"))[1:]
        self.assertEqual([column_of(bar) for bar in bars], [2, 3, 4])
        widths = [float(bar.get("width")) / CELL_WIDTH for bar in bars]
        self.assertEqual([round(width, 2) for width in widths], [1, 1, 0.5])
        self.assertEqual([text.text for text in picture.iter(f"{SVG}text")], ["x", "63%"])

    def test_what_is_markup_stays_text(self):
        picture = svg_of("<script>&\"'", "a <b> title")
        self.assertEqual(texts(picture), [(0, "<script>&\"'", FOREGROUND)])
        self.assertEqual(xml.fromstring(picture).find(f"{SVG}title").text, "a <b> title")

    def test_it_is_as_large_as_the_screen(self):
        picture = svg_of("a" * 120 + "\nb", "t")
        width, height = re.search(r'viewBox="0 0 (\d+) (\d+)"', picture).groups()
        self.assertEqual(int(width), round(120 * CELL_WIDTH + 2 * MARGIN))
        self.assertEqual(int(height), 2 * 18 + 2 * MARGIN)


if __name__ == "__main__":
    unittest.main()
