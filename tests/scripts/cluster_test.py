#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""cluster.sh runs to its end and shows what its header says. BUILD"""
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "system"))
import stage

SCRIPT = pathlib.Path(__file__).parents[2] / "scripts/cluster.sh"
SHOWN = (
    r"^n3 \$ dripctl bucket list\n(.*\n)*?shop/search ",
    r"^departures a second: n1 [\d.]+, n2 [\d.]+, n3 [\d.]+; together [\d.]+$",
    r"^n\d was killed; after \d+ ms:$",
    r"CUT OFF",
    r"^in Redis again: shop/search$",
)


def main():
    if shutil.which("redis-server") is None:
        stage.skip("redis-server is not installed")
    done = subprocess.run(
        [SCRIPT, "--build", sys.argv[1]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    print(done.stdout)
    if done.returncode != 0:
        sys.exit(f"FAILED: cluster.sh returned {done.returncode}")
    for pattern in SHOWN:
        if not re.search(pattern, done.stdout, re.MULTILINE):
            sys.exit(f"FAILED: there is no line with {pattern}")


if __name__ == "__main__":
    main()
