#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes a C++ source with the files of the web page: embed_assets.py OUT FILE...

A file NAME is served at /NAME, index.html at /.
"""
import hashlib
import pathlib
import sys

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def main() -> None:
    out, *names = sys.argv[1:]
    arrays, entries = [], []
    for number, name in enumerate(names):
        path = pathlib.Path(name)
        data = path.read_bytes()
        # Compilers must accept string literals of 64 KiB only, but arrays of any length.
        numbers = ",".join(map(str, data))
        arrays.append(f"constexpr unsigned char kBytes{number}[] = {{{numbers}}};")
        where = "/" if path.name == "index.html" else f"/{path.name}"
        etag = hashlib.sha256(data).hexdigest()[:16]
        entries.append(
            f'    {{"{where}", "{TYPES[path.suffix]}", "\\"{etag}\\"", text_of(kBytes{number})}},'
        )
    lines = [
        '#include "web/assets.h"',
        "#include <array>",
        "#include <cstddef>",
        "namespace drip::web {",
        "namespace {",
        *arrays,
        "template <std::size_t kSize>",
        "std::string_view text_of(const unsigned char (&bytes)[kSize]) {",
        "  return {reinterpret_cast<const char*>(bytes), kSize};",
        "}",
        "}  // namespace",
        "std::span<const Asset> assets() {",
        f"  static const std::array<Asset, {len(entries)}> kAssets = {{{{",
        *entries,
        "  }};",
        "  return kAssets;",
        "}",
        "}  // namespace drip::web",
    ]
    pathlib.Path(out).write_text("\n".join(lines) + "\n", encoding="utf-8")


main()
