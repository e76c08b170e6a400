#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs clang-tidy on the project's files in a compile database, if they changed since the last run.

    clang_tidy.py BUILD [FILE|DIRECTORY]...

Nearly all of its time is spent in headers of libraries, again for each file. So a file without
findings is recorded by a digest of its inputs: the compile command, the text of the file and of the
project's headers that it includes, the configuration, and the version of clang-tidy.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

TOOL = "clang-tidy-14"
# Without the tests: 90 files of 5 s each would add 4 minutes to 3 on 2 cores. To check them:
# clang_tidy.py build tests
OUR_ROOMS = ("src", "docs")
CHECKS = (pathlib.Path(".clang-tidy"), pathlib.Path("tests/.clang-tidy"))
INCLUDE = re.compile(rb'^\s*#\s*include\s+[<"]([^>"]+)[>"]', re.MULTILINE)


class Sources:
    """Texts of the project's files and what they include, each read once."""

    def __init__(self, build: pathlib.Path):
        self.roots = [
            pathlib.Path("include"),
            pathlib.Path("src"),
            pathlib.Path("tests"),
            build / "include",
        ]
        self.texts = {}

    def text(self, path: pathlib.Path) -> bytes:
        if path not in self.texts:
            self.texts[path] = path.read_bytes()
        return self.texts[path]

    def with_headers(self, path: pathlib.Path) -> list[pathlib.Path]:
        found = {path}
        pending = [path]
        while pending:
            one = pending.pop()
            for name in INCLUDE.findall(self.text(one)):
                for root in [one.parent, *self.roots]:
                    header = pathlib.Path(os.path.normpath(root / name.decode()))
                    if header not in found and header.is_file():
                        found.add(header)
                        pending.append(header)
        return sorted(found)


def commands(build: pathlib.Path) -> dict[pathlib.Path, str]:
    here = pathlib.Path.cwd()
    found = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = pathlib.Path(os.path.normpath(pathlib.Path(entry["directory"]) / entry["file"]))
        if path.is_relative_to(here):
            found[path.relative_to(here)] = entry["command"]
    return found


def tidy(build: pathlib.Path, path: pathlib.Path) -> tuple[bool, str]:
    # The compile commands are for GCC, and clang does not know all of its warnings.
    run = subprocess.run(
        [TOOL, "-p", str(build), "--quiet", "--extra-arg=-Wno-unknown-warning-option", str(path)],
        capture_output=True,
        text=True,
    )
    # stderr has counts of suppressed findings, or the reason why clang-tidy could not run.
    return run.returncode == 0, run.stdout or run.stderr


def main() -> int:
    build = pathlib.Path(sys.argv[1])
    wanted = {pathlib.Path(os.path.normpath(name)) for name in sys.argv[2:] or OUR_ROOMS}
    cache = build / "lint-cache"
    cache.mkdir(exist_ok=True)
    version = subprocess.run([TOOL, "--version"], check=True, capture_output=True).stdout
    common = version + b"".join(path.read_bytes() for path in CHECKS)
    sources = Sources(build)
    pending = {}
    clean = 0
    for path, command in sorted(commands(build).items()):
        if not any(map(path.is_relative_to, wanted)):
            continue
        digest = hashlib.sha256(common + command.encode())
        for part in sources.with_headers(path):
            digest.update(str(part).encode() + b"\0" + sources.text(part))
        stamp = cache / digest.hexdigest()
        if stamp.exists():
            stamp.touch()
            clean += 1
        else:
            pending[path] = stamp
    print(
        f"clang-tidy: {len(pending)} files to check, {clean} unchanged since they were clean.",
        flush=True,
    )
    failed = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = {pool.submit(tidy, build, path): path for path in pending}
        for run in concurrent.futures.as_completed(runs):
            path = runs[run]
            good, output = run.result()
            if good:
                pending[path].touch()
            else:
                failed.append(path)
                print(output.strip(), flush=True)
    for path in sorted(failed):
        print(f"clang-tidy: {path} is not clean.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
