#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every file under scripts/ is used by a test, by CI or by the build, or by a script that is."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).parents[2]
# debhelper takes its files by their names.
DEBIAN = ROOT / "scripts/packaging/debian"


def users():
    """What runs scripts without being one."""
    yield from (ROOT / ".ci").iterdir()
    yield from DEBIAN.rglob("*")
    yield from (path for path in (ROOT / "tests").rglob("*") if path.name != "reached_test.py")
    for top in (ROOT, *(ROOT / name for name in ("src", "include", "docs"))):
        yield from top.glob("meson.build") if top == ROOT else top.rglob("meson.build")


def text_of(path):
    try:
        return path.read_text() if path.is_file() else ""
    except UnicodeDecodeError:
        return ""


def uses(text, path):
    """Whether a text names a script, imports a Python module, or requires or lists a Lua script."""
    patterns = [rf"(?<![\w.]){re.escape(path.name)}\b"]
    if path.suffix == ".py":
        patterns.append(rf"^\s*(import|from) {path.stem}\b")
    if path.suffix == ".lua":
        patterns.append(rf'"{path.stem}"')
    return any(re.search(pattern, text, re.MULTILINE) for pattern in patterns)


def main():
    scripts = {
        path
        for path in (ROOT / "scripts").rglob("*")
        if path.is_file() and path.parent.name != "__pycache__" and DEBIAN not in path.parents
    }
    reached, texts = set(), [text_of(path) for path in users()]
    while texts:
        text = texts.pop()
        found = {path for path in scripts - reached if uses(text, path)}
        reached |= found
        texts += [text_of(path) for path in found]
    for path in sorted(scripts - reached):
        print(f"FAILED: nothing runs {path.relative_to(ROOT)}")
    print(f"{len(reached)} of {len(scripts)} scripts are used")
    return 1 if scripts - reached else 0


if __name__ == "__main__":
    sys.exit(main())
