# SPDX-License-Identifier: BSD-3-Clause
"""Shared by the measuring programs: arguments, hugepages, result files."""
import argparse
import contextlib
import json
import pathlib
import sys
import tempfile

import hugepages


class Arguments(argparse.ArgumentParser):
    """Of a program that the script of its name starts, which has the help."""

    def error(self, message):
        script = pathlib.Path(sys.argv[0]).with_suffix(".sh")
        if not script.exists():
            super().error(message)
        self.exit(2, f"{script.name}: {message} (see {script.name} --help)\n")


def parser(doc):
    result = Arguments(description=doc)
    result.add_argument("--build", default="build")
    result.add_argument("--out", default="out")
    return result


def say(text):
    print(f"== {text}", flush=True)


@contextlib.contextmanager
def scratch_with_hugepages(count):
    """A temporary directory, and so many more hugepages for as long as it exists."""
    with tempfile.TemporaryDirectory(prefix="drip-") as scratch, hugepages.reserved(count):
        yield pathlib.Path(scratch)


def write(out, name, result, **texts):
    """`name`.json and a file for each of `texts`, by suffix, into the directory `out`."""
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    for suffix, text in texts.items():
        (out / f"{name}.{suffix}").write_text(text)
