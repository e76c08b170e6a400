#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The main job, by its own checks: 1 % of the rate, and the balance. BUILD [--in-process]"""
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "system"))
import stage


def main():
    build, *how = sys.argv[1:]
    if not how and (reason := stage.cannot("af_packet")):
        stage.skip(reason)
    stage.go_first()
    job = pathlib.Path(__file__).parents[2] / "scripts/run.sh"
    with tempfile.TemporaryDirectory(prefix="drip-") as out:
        done = subprocess.run([job, "50mbit", "--build", build, "--out", out, *how])
        if done.returncode == 0 and not (pathlib.Path(out) / "rates.svg").exists():
            sys.exit("FAILED: there is no plot")
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
