#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The model of docs/scale.md holds beside what docs/benchmarks says was measured, and the page has
the tables that the model prints."""
import pathlib
import subprocess
import sys


def output(script, *arguments, code=0):
    done = subprocess.run([script, *arguments], capture_output=True, text=True)
    if done.returncode != code:
        sys.exit(f"{script} {arguments}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def main():
    root = pathlib.Path(sys.argv[1])
    script = root / "scripts/scale_model.py"
    page = (root / "docs/scale.md").read_text()
    checked = output(script, "--check")
    tables = [text for text in output(script).split("\n\n") + checked.split("\n\n")]
    if len(checked.splitlines()) < 24:
        sys.exit("few figures were compared")
    for table in tables:
        if table.strip() not in page:
            sys.exit(f"docs/scale.md does not have this:\n{table}")
    # A machine of half the speed has the same cycles, but none of the packets a second.
    output(script, "--check", "--hz", "1.3e9", code=1)
    print("docs/scale.md is as the model says")


main()
