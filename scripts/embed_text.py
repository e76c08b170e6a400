#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes a header with a text file in it: embed_text.py FILE NAME OUT."""
import pathlib
import sys


def main() -> None:
    source, name, out = sys.argv[1:]
    text = pathlib.Path(source).read_text(encoding="utf-8")
    # A string literal may be 64 KiB long; what is longer would have to be cut.
    assert len(text) < 60000 and ')lua"' not in text
    pathlib.Path(out).write_text(
        f"#pragma once\nnamespace drip::cluster {{\n"
        f'inline constexpr char {name}[] = R"lua({text})lua";\n}}\n',
        encoding="utf-8",
    )


main()
