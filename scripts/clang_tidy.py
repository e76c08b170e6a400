#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs clang-tidy on the project's files in a compile database, if they changed since the last run.

    clang_tidy.py BUILD [FILE|DIRECTORY]...

Nearly all of its time is spent in headers of libraries, again for each translation unit. So

- a file without findings is recorded by a digest of its inputs: the compile command, the text of
  the file and of the project's headers that it includes, the configuration, and the version of
  clang-tidy;
- the files of a directory are checked in one translation unit that includes them all. Where that
  one has findings, which may only be two names that are the same, each file is checked alone, and
  only what is found then counts.
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
# Without the tests, most of which have a directory's headers but not its files in common. To check
# them: clang_tidy.py build tests
OUR_ROOMS = ("src", "docs")
CHECKS = (pathlib.Path(".clang-tidy"), pathlib.Path("tests/.clang-tidy"))
INCLUDE = re.compile(rb'^\s*#\s*include\s+[<"]([^>"]+)[>"]', re.MULTILINE)
# So many share one parse of the libraries; more would leave cores without work at the end.
MOST_TOGETHER = 8
# What differs between the commands of two files of a target.
PLACES = re.compile(r"(?<= )(-MQ|-MF|-o|-c) \S+")


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


def tidy(database: pathlib.Path, path: pathlib.Path, *options: str) -> tuple[bool, str]:
    # The compile commands are for GCC, and clang does not know all of its warnings.
    quiet = "--extra-arg=-Wno-unknown-warning-option"
    run = subprocess.run(
        [TOOL, "-p", str(database), "--quiet", quiet, *options, str(path)],
        capture_output=True,
        text=True,
    )
    # stderr has counts of suppressed findings, or the reason why clang-tidy could not run.
    return run.returncode == 0, run.stdout or run.stderr


def batches(compiled: dict[pathlib.Path, str]) -> list[list[pathlib.Path]]:
    """The files by directory and compile command, at most MOST_TOGETHER in one, in even parts."""
    alike = {}
    for path, command in compiled.items():
        alike.setdefault((path.parent, PLACES.sub("", command)), []).append(path)
    found = []
    for paths in alike.values():
        parts = -(-len(paths) // MOST_TOGETHER)
        found += [paths[part::parts] for part in range(parts)]
    # The longest first, so that no core is left with one at the end.
    return sorted(found, key=len, reverse=True)


def write_together(build: pathlib.Path, rooms: pathlib.Path, every: list[list[pathlib.Path]]):
    """For each batch a file that includes it; and how they are compiled. Returns the files."""
    rooms.mkdir(exist_ok=True)
    given = commands(build)
    entries = []
    for number, batch in enumerate(every):
        path = (rooms / f"{number}.cc").absolute()
        path.write_text("".join(f'#include "{one.absolute()}"\n' for one in batch))
        command = PLACES.sub("", given[batch[0]]).strip() + f" -c {path}"
        where = str(build.absolute())
        entries.append({"directory": where, "command": command, "file": str(path)})
    (rooms / "compile_commands.json").write_text(json.dumps(entries))
    return [pathlib.Path(entry["file"]) for entry in entries]


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
    given = commands(build)
    for path, command in sorted(given.items()):
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
    every = batches({path: given[path] for path in pending})
    together = write_together(build, cache / "together", every)
    # The configuration takes .cc files only as what is compiled, not as what is included.
    headers = re.search(r"HeaderFilterRegex: '(.*)'", CHECKS[0].read_text())[1]
    included = "--header-filter=" + headers.replace("(h|inl)", "(h|inl|cc)")
    failed = []

    def check(batch: list[pathlib.Path], unit: pathlib.Path):
        if len(batch) > 1 and tidy(unit.parent, unit, included)[0]:
            return [(path, True, "") for path in batch]
        return [(path, *tidy(build, path)) for path in batch]

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = [pool.submit(check, batch, unit) for batch, unit in zip(every, together)]
        for run in concurrent.futures.as_completed(runs):
            for path, good, output in run.result():
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
