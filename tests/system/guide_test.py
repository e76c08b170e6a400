#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs the dripctl commands of a page, in their order, against a dripd without ports:
guide_test.py BUILD PAGE"""
import pathlib
import re
import shlex
import sys
import tempfile

from stage import Failure, check  # Knows where the library of scripts is.
from daemon import Daemon


class NoLink:
    """What Daemon wants to know of the link between its ports: there are none."""

    never_rests = False
    prefix = ()
    kinds = ["none"]

    def __init__(self, scratch):
        self.scratch = scratch

    def next_kind(self):
        return False

    def dripd_arguments(self):
        return []


def commands_of(page):
    lines_joined = re.sub(r"\\\n\s*", "", page.read_text())
    for line in lines_joined.splitlines():
        if line.startswith("    dripctl "):
            yield shlex.split(line, comments=True)[1:]


def main():
    build, page = map(pathlib.Path, sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="drip-") as scratch:
        link = NoLink(pathlib.Path(scratch))
        with Daemon(build, link, link.scratch / "dripd.log") as daemon:
            run = 0
            for command in commands_of(page):
                done = daemon.run_ctl(*command)
                print(f"dripctl {' '.join(command)}")
                check(done.returncode == 0, f"exit code {done.returncode}: {done.stderr}")
                run += 1
            check(run >= 10, f"only {run} commands are in {page}")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"FAILED: {failure}")
    print("passed")
