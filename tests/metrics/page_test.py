#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""docs/guide/metrics.md has the tables of the code. ROOT DESCRIBE_FAMILIES"""
import pathlib
import subprocess
import sys


def main():
    root, describe = sys.argv[1:]
    printed = subprocess.run([describe], check=True, capture_output=True, text=True).stdout
    rows = [line for line in printed.splitlines() if line.startswith("| `")]
    page = (pathlib.Path(root) / "docs/guide/metrics.md").read_text()
    on_page = [line for line in page.splitlines() if line.startswith(("| `drip_", "| `process_"))]
    errors = [f"not on the page: {row}" for row in rows if row not in on_page]
    errors += [f"not in the code: {row}" for row in on_page if row not in rows]
    if errors or len(rows) < 50:
        sys.exit("FAILED: docs/guide/metrics.md\n" + "\n".join(errors))
    print(f"{len(rows)} families are described as they are")


if __name__ == "__main__":
    main()
