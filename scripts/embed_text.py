#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes a C++ header that contains a text file as a string:
embed_text.py FILE NAME OUT [NAMESPACE]."""
import pathlib
import sys


def main() -> None:
    source, name, out = sys.argv[1:4]
    namespace = sys.argv[4] if len(sys.argv) > 4 else "drip::cluster"
    text = pathlib.Path(source).read_text(encoding="utf-8")
    # Compilers must accept string literals of 64 KiB only.
    assert len(text) < 60000 and ')lua"' not in text
    pathlib.Path(out).write_text(
        f"#pragma once\nnamespace {namespace} {{\n"
        f'inline constexpr char {name}[] = R"lua({text})lua";\n}}\n',
        encoding="utf-8",
    )


main()
