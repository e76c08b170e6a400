#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""docs/architecture.md has a row for each room, CONTRIBUTING.md one for each test suite. ROOT is the
source tree."""
import pathlib
import re
import sys


def rooms(root):
    """Directories with code, and include/drip; internal headers belong to it."""
    found = {path.parent for path in (root / "src").rglob("*.cc")}
    found |= {path.parent for path in (root / "src").rglob("*.h")}
    return {path.relative_to(root).as_posix() for path in found} | {"include/drip"}


def rows(text):
    """What the first column of a page's tables has in backquotes."""
    return {
        name
        for row in re.findall(r"^\| ([^|]*) \|", text, re.M)
        for name in re.findall("`([^`]+)`", row)
    }


def main():
    root = pathlib.Path(sys.argv[1])
    architecture = rows((root / "docs/architecture.md").read_text())
    # A room that only divides others needs no row of its own.
    missing = {
        room
        for room in rooms(root)
        if not any(room == row or room.startswith(f"{row}/") for row in architecture)
    }
    errors = [f"docs/architecture.md has no row for {room}" for room in sorted(missing)]
    named = {row for row in architecture if re.match(r"(src|include)/", row) and "." not in row}
    errors += [
        f"docs/architecture.md has a row for {row}, which is not there"
        for row in sorted(named)
        if not (root / row).is_dir()
    ]
    suites = set(re.findall(r"^#   (\w+) +\w", (root / "scripts/test.sh").read_text(), re.M))
    known = rows((root / "CONTRIBUTING.md").read_text())
    errors += [f"CONTRIBUTING.md has no row for suite {suite}" for suite in sorted(suites - known)]
    for error in errors:
        print(error)
    if errors or len(suites) < 5 or len(named) < 15:
        sys.exit("FAILED")
    print(f"{len(named)} rooms, {len(suites)} suites")


if __name__ == "__main__":
    main()
