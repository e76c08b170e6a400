#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Guards the packet path by what cannot be noisy: instructions a packet, counted by callgrind.

instructions_test.py PROGRAM COMPILER
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

PACKETS = 64_000
# Measured with g++ 12, and a tenth more. Who makes the path longer on purpose raises its line here
# and says in the commit what it buys; who makes it shorter lowers it.
MOST = {
    "path_instructions": {"straight": 210, "scheduled": 535, "throttled": 312},
    # Take, parse, classify, count and drop, 1,024 rules.
    "receive_instructions": {
        "ipv4": 320,
        "ipv6": 480,
        "tagged": 335,
        "ports": 420,
        "tcp": 320,
        "sampled": 365,
    },
    # Three nodes above each leaf; a packet offered, of which half depart but for `straight`.
    "tree_instructions": {"straight": 636, "root": 522, "leaves": 842},
}


def instructions(program, case, packets):
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run(
            [
                "valgrind",
                "--tool=callgrind",
                f"--callgrind-out-file={pathlib.Path(scratch, 'out')}",
                program,
                case,
                str(packets),
            ],
            capture_output=True,
            text=True,
            timeout=120,
        )
    if done.returncode != 0:
        sys.exit(f"FAILED: {case}: {done.stderr}")
    return int(re.search(r"Collected : (\d+)", done.stderr).group(1))


def main():
    if shutil.which("valgrind") is None:
        print("skipped: valgrind is not installed")
        sys.exit(77)
    program, compiler = sys.argv[1:]
    if compiler != "gcc":
        print(f"skipped: the counts are those of code made by gcc, not by {compiler}")
        sys.exit(77)
    # The difference of two lengths: start and end of the program do not count.
    each = (
        lambda case: (
            instructions(program, case, 2 * PACKETS) - instructions(program, case, PACKETS)
        )
        / PACKETS
    )
    loop = each("none")
    failed = False
    for case, most in MOST[pathlib.Path(program).name].items():
        count = each(case) - loop
        print(f"{case}: {count:.1f} instructions a packet, at most {most}")
        failed |= count > most
    sys.exit("FAILED: the path has become longer" if failed else 0)


if __name__ == "__main__":
    main()
