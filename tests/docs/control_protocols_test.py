#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""docs/guide/dripctl.md lists the protected protocols as they are in the code. ROOT is the source
tree."""
import pathlib
import re
import sys


def main():
    root = pathlib.Path(sys.argv[1])
    code = (root / "src/packet/control_protocols.h").read_text()
    names = [
        (name, "".join(re.findall('"([^"]*)"', text)))
        for name, text in re.findall(
            r'\{ControlProtocol::k\w+,\s*"([^"]+)",\s*((?:"[^"]*"\s*)+)\}', code
        )
    ]
    count = len(re.findall(r"^  k\w+,$", code.split("enum class ControlProtocol")[1], re.M))
    if not names or len(names) != count:
        sys.exit(f"FAILED: {len(names)} names of {count} protocols were found in the code")
    guide = (root / "docs/guide/dripctl.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z0-9-]+)` \| ([^|]+) \|$", guide, re.M))
    wrong = [name for name, about in names if rows.get(name) != about]
    if wrong:
        sys.exit(f"FAILED: docs/guide/dripctl.md lacks or describes otherwise: {', '.join(wrong)}")
    print(f"{count} protected protocols")


if __name__ == "__main__":
    main()
