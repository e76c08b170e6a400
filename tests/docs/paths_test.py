#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every path that README, CONTRIBUTING and docs name exists, every relative link leads somewhere, and
prose keeps 100 columns. ROOT is the source tree."""
import pathlib
import re
import sys

PAGES = ("README.md", "CONTRIBUTING.md", "docs/*.md", "docs/decisions/*.md", "docs/guide/*.md")
# Results of a measurement, wide by nature; their links are checked all the same.
LINKS_ONLY = "docs/benchmarks/*.md"
# The changelog names what there was.
PAST = "docs/changelog.md"
CODE = re.compile(r"`([^`\s]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
ROOTS = ("src/", "include/", "tests/", "docs/", "scripts/")
COLUMNS = 100


def anchors(page):
    """GitHub's anchors of a page's headings."""
    found = set()
    for heading in re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE):
        text = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(text.replace(" ", "-"))
    return found


def link_errors(page, text):
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = page if not name else page.parent / name
        if not path.exists():
            yield f"links to {target}, which is not there"
        elif anchor and anchor not in anchors(path):
            yield f"links to {target}, which has no such heading"


def path_errors(root, text):
    """Paths of the source tree in backquotes; "a.h` and `.cc" and globs stand for themselves."""
    for named in CODE.findall(text):
        if named.startswith(ROOTS) and not any(root.glob(named.rstrip("/"))):
            yield f"names {named}, which is not there"


def width_errors(text):
    outside = re.sub(r"^```.*?^```$", lambda m: "\n" * m[0].count("\n"), text, flags=re.S | re.M)
    for number, line in enumerate(outside.splitlines(), 1):
        if len(line) > COLUMNS and not line.startswith(("|", "    ", "![")):
            yield f"line {number} has {len(line)} columns"


def main():
    root = pathlib.Path(sys.argv[1])
    errors, checked = [], 0
    for pattern in (*PAGES, LINKS_ONLY):
        for page in sorted(root.glob(pattern)):
            text = page.read_text()
            found = list(link_errors(page, text))
            if pattern != LINKS_ONLY:
                found += width_errors(text)
                if page != root / PAST:
                    found += path_errors(root, text)
            errors += [f"{page.relative_to(root)}: {error}" for error in found]
            checked += 1
    if errors or checked == 0:
        sys.exit("FAILED:\n" + "\n".join(errors or ["no page was found"]))
    print(f"{checked} pages name only what there is")


if __name__ == "__main__":
    main()
