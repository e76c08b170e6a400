#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""all.sh in its quick form measures some parts and writes pages with them. BUILD"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

SCRIPT = pathlib.Path(__file__).parents[2] / "scripts/bench/all.sh"
HEADINGS = {
    "memory": "# Memory",
    "control": "# Control plane",
    "trees": "## Trees",
    "queues": "## Queues of a leaf",
    "million": "## A million buckets",
    "loops": "## The longest loop",
    "tree_loops": "## The longest loop of a tree",
    "moves": "## What a move takes of a polling thread",
    "centres": "# Where the time goes",
}


def main():
    parts = list(HEADINGS)
    if missing := [tool for tool in ("perf", "addr2line") if shutil.which(tool) is None]:
        print(f"The part centres is left out: no {', '.join(missing)}")
        parts.remove("centres")
    with tempfile.TemporaryDirectory(prefix="drip-") as scratch:
        out, page = pathlib.Path(scratch) / "out", pathlib.Path(scratch) / "page.md"
        done = subprocess.run(
            [SCRIPT, "--quick", "--build", sys.argv[1], "--out", out, "--page", page, *parts]
        )
        if done.returncode != 0:
            sys.exit(f"FAILED: all.sh returned {done.returncode}")
        pages = [page, *page.with_suffix("").glob("*.md")]
        text = "\n".join(path.read_text() for path in pages)
        for part in parts:
            if HEADINGS[part] not in text or not (out / f"{part}.json").exists():
                sys.exit(f"FAILED: no page has a section on {part}:\n{text}")


if __name__ == "__main__":
    main()
