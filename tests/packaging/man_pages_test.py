#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The manual pages have every command and flag of --help, and are good roff. BUILD"""
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = {
    "dripd.8": "src/daemon/dripd",
    "dripctl.1": "src/cli/dripctl",
    "drip-bench.1": "src/bench/drip-bench",
    "drip-hugepages.8": ROOT / "scripts/packaging/drip-hugepages",
}


def check(holds, what):
    if not holds:
        sys.exit(f"FAILED: {what}")


def help_of(*command):
    return subprocess.run([*command, "--help"], capture_output=True, text=True, check=True).stdout


def texts(program, path=()):
    """(command, its --help) of a program and all its commands, by a reading of its own."""
    said = help_of(program, *path)
    yield path, said
    below = said.partition("\nSubcommands:\n")[2].partition("\n\n")[0]
    for name in re.findall(r"^  ([\w-]+)  ", below, re.MULTILINE):
        if help_of(program, *path, name) != said:
            yield from texts(program, (*path, name))


def check_page(build, page, program):
    program = build / program
    text = (build / "scripts/packaging" / page).read_text()
    # Without fonts and escapes.
    plain = re.sub(r"\\f[BIRP]|\\&", "", text).replace(r"\-", "-").replace(r"\e", "\\")
    sections = re.split(r"^\.S[HS] ", plain, flags=re.MULTILINE)
    count = 0
    for path, said in texts(program):
        # What stands below the heading of the command; of the program itself, anywhere.
        where = plain
        if path:
            name = " ".join(path)
            where = "".join(one for one in sections if one.startswith(name + "\n"))
            check(where, f"{page} has no section '{name}'")
        for flag in re.findall(r"^ +(?:-\w,)?(--[\w-]+)", said, re.MULTILINE):
            if flag == "--help" or said.index(flag) > said.find("\nExamples:") > 0:
                continue
            count += 1
            check(re.search(rf"^(-\w, )?{flag}\b", where, re.MULTILINE), f"{page}: {path} {flag}")
    check(count > 3, f"{page}: only {count} flags were looked for")
    print(f"{page}: {count} flags")
    if shutil.which("mandoc"):
        done = subprocess.run(
            ["mandoc", "-T", "lint", "-W", "warning", build / "scripts/packaging" / page],
            capture_output=True,
            text=True,
        )
        # A date would make two builds of one source differ.
        wrong = [line for line in done.stdout.splitlines() if "missing date" not in line]
        check(not wrong, f"mandoc: {wrong}")
    else:
        print("mandoc is not installed: the roff is not checked")


def main():
    build = pathlib.Path(sys.argv[1])
    for page, program in PAGES.items():
        check_page(build, page, program)


if __name__ == "__main__":
    main()
