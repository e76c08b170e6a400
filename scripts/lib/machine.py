# SPDX-License-Identifier: BSD-3-Clause
"""The origin of measured figures: machine, command, commit."""
import os
import pathlib
import platform
import re
import shlex
import subprocess
import sys
import time


def commit():
    """The short hash, with a plus if the tree differs from it; "unknown" outside of git."""
    git = ["git", "-c", "safe.directory=*", "-C", pathlib.Path(__file__).parent]
    done = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    if done.returncode != 0:
        return "unknown"
    changed = subprocess.run(
        [*git, "status", "--porcelain", "--untracked-files=no"], capture_output=True, text=True
    ).stdout.strip()
    return done.stdout.strip() + ("+" if changed else "")


def processor():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", text).group(1).strip()
    numbers = {name: re.search(rf"{name}\s*: (\d+)", text) for name in ("cpu family", "model")}
    family = ", ".join(f"{name} {found.group(1)}" for name, found in numbers.items() if found)
    guest = ", virtual" if re.search(r"^flags.*\bhypervisor\b", text, re.MULTILINE) else ""
    return f"{model} ({family}{guest}), {len(os.sched_getaffinity(0))} CPUs"


def describe(program):
    """The first fields of a result file."""
    return {
        "machine": processor(),
        "kernel": platform.release().split("-")[0],
        "command": shlex.join([program, *sys.argv[1:]]),
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }


def head(result):
    """The same fields as Markdown."""
    return (
        f"{result['machine']}; Linux {result['kernel']}; commit {result['commit']}, "
        f"{result['date']}.\nCommand: `{result['command']}`."
    )
